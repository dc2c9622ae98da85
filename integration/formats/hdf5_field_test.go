package formats

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// TestHDF5Field mounts files of kinds that people have and few tests do: filters in every
// order, odd types, groups with several names, files that were left open, .keras files
// that were packed again, models with several optimizers.
func TestHDF5Field(t *testing.T) {
	type file = map[string]any // a case of write_field_hdf5.py
	var cases []file
	harness.Python(t, harness.Keras, "write_field_hdf5.py", nil, &cases, t.TempDir(), "5")
	if len(cases) < 13 {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		mount := harness.Mount(t, c["source"].(string))
		c["mount"] = mount
		notes, _ := c["notes"].([]any)
		for _, word := range notes {
			harness.CheckText(t, filepath.Join(mount, "meta", "source.json"), word.(string))
		}
	}
	var problems map[string][]string
	harness.Python(t, harness.Keras, "verify_field_hdf5.py", cases, &problems)
	for _, c := range cases {
		name := c["name"].(string)
		t.Run(name, func(t *testing.T) { harness.Verified(t, problems, name) })
	}
}

// TestHDF5CacheImage mounts a file whose newest metadata are in its metadata cache image.
// The libhdf5 of the environment cannot read it: what an older one read lies beside it.
func TestHDF5CacheImage(t *testing.T) {
	dir := filepath.Join(harness.Root(), "formats", "hdf5", "testdata")
	var expected map[string]struct{ SHA256 string }
	harness.Must(t, json.Unmarshal(harness.ReadFile(t, dir, "image.json"), &expected))
	mount := harness.Mount(t, filepath.Join(dir, "image.h5"))
	tensors := 0
	for key, want := range expected {
		if want.SHA256 == "" { // strings
			continue
		}
		tensors++
		b := harness.ReadFile(t, mount, "raw", strings.ReplaceAll(key, "/", "%2F")+".bin")
		if digest(b) != want.SHA256 {
			t.Errorf("%s has other bytes", key)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(mount, "raw")); err != nil || len(entries) != tensors || tensors < 5 {
		t.Errorf("%d files of %d tensors, %v", len(entries), tensors, err)
	}
}
