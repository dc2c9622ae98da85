package integration

import "testing"

// TestKeras mounts what Keras 2, Keras 3 and h5py wrote: each dataset equals what
// h5py reads, and a model rebuilt from a view predicts as its source did.
func TestKeras(t *testing.T) {
	type file struct {
		Name     string   `json:"name"`
		Source   string   `json:"source"`
		Expected string   `json:"expected"`
		Root     string   `json:"root"`
		Mount    string   `json:"mount"`
		Omitted  []string `json:"omitted,omitempty"`
		Passed   []string `json:"passed,omitempty"`
		Predict  string   `json:"predict,omitempty"`
		Model    string   `json:"model,omitempty"`
		Scan     int      `json:"scan,omitempty"`
	}
	var cases []file
	for _, version := range []string{"2", "3"} {
		var some []file
		python(t, "keras", "write_keras.py", nil, &some, t.TempDir(), version)
		cases = append(cases, some...)
	}
	if len(cases) < 9 {
		t.Fatalf("%d files were written", len(cases))
	}
	for i := range cases {
		cases[i].Mount = mount(t, cases[i].Source)
		if r := wfs(t, "scan", cases[i].Source); r.code != cases[i].Scan {
			t.Errorf("scan %s: exit code %d, want %d\n%s%s", cases[i].Name, r.code, cases[i].Scan, r.stdout, r.stderr)
		}
	}
	var problems map[string][]string
	python(t, "keras", "verify_keras.py", cases, &problems)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			found, checked := problems[c.Name]
			if !checked {
				t.Fatal("not checked")
			}
			for _, problem := range found {
				t.Error(problem)
			}
		})
	}
}
