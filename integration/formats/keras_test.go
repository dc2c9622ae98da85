package formats

import (
	"testing"

	"wfs/integration/harness"
)

// TestKeras mounts what Keras 2, Keras 3 and h5py wrote: each dataset equals what
// h5py reads, and a model rebuilt from a view predicts as its source did.
func TestKeras(t *testing.T) {
	t.Parallel() // TestHDF5Random and TestKeras take minutes each

	type file = map[string]any // a case of write_keras.py
	var cases []file
	for _, version := range []string{"2", "3"} {
		var some []file
		harness.Python(t, harness.Keras, "write_keras.py", nil, &some, t.TempDir(), version)
		cases = append(cases, some...)
	}
	if len(cases) < 19 {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		source := c["source"].(string)
		c["mount"] = harness.Mount(t, source)
		want, given := c["scan"]
		if given && want == nil {
			continue // a directory with more than weights
		} else if !given {
			want = 0.0
		}
		if r := harness.WFS(t, "scan", source); float64(r.Code) != want {
			t.Errorf("scan %s: exit code %d, want %v\n%s%s", c["name"], r.Code, want, r.Stdout, r.Stderr)
		}
	}
	var problems map[string][]string
	harness.Python(t, harness.Keras, "verify_keras.py", cases, &problems)
	for _, c := range cases {
		name := c["name"].(string)
		t.Run(name, func(t *testing.T) { harness.Verified(t, problems, name) })
	}
}
