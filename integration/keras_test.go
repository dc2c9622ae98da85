package integration

import "testing"

// TestKeras mounts what Keras 2, Keras 3 and h5py wrote: each dataset equals what
// h5py reads, and a model rebuilt from a view predicts as its source did.
func TestKeras(t *testing.T) {
	type file = map[string]any // a case of write_keras.py
	var cases []file
	for _, version := range []string{"2", "3"} {
		var some []file
		python(t, "keras", "write_keras.py", nil, &some, t.TempDir(), version)
		cases = append(cases, some...)
	}
	if len(cases) < 19 {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		source := c["source"].(string)
		c["mount"] = mount(t, source)
		want, given := c["scan"]
		if given && want == nil {
			continue // a directory with more than weights
		} else if !given {
			want = 0.0
		}
		if r := wfs(t, "scan", source); float64(r.code) != want {
			t.Errorf("scan %s: exit code %d, want %v\n%s%s", c["name"], r.code, want, r.stdout, r.stderr)
		}
	}
	var problems map[string][]string
	python(t, "keras", "verify_keras.py", cases, &problems)
	for _, c := range cases {
		name := c["name"].(string)
		t.Run(name, func(t *testing.T) { verified(t, problems, name) })
	}
}
