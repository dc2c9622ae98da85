package formats

import (
	"testing"

	"wfs/integration/harness"
)

// TestKerasDirectories mounts an unpacked .keras file, presets of keras-hub and shards, by their
// directory and by their index. Keras and keras-hub load them from the mount as from the source.
func TestKerasDirectories(t *testing.T) {
	t.Parallel()
	var cases []map[string]string
	harness.Python(t, harness.Keras, "keras_directories.py", nil, &cases, "write", t.TempDir())
	for _, c := range cases {
		c["mount"] = harness.Mount(t, c["source"])
	}
	var problems map[string][]string
	harness.Python(t, harness.Keras, "keras_directories.py", cases, &problems, "verify")
	for _, c := range cases {
		t.Run(c["name"], func(t *testing.T) { harness.Verified(t, problems, c["name"]) })
	}
}
