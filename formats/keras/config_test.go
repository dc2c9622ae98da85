package keras

import (
	"encoding/base64"
	"testing"
)

// TestTorchModule finds the torch file that Keras would unpickle, in whatever object.
func TestTorchModule(t *testing.T) {
	const module = "\x80\x02cos\ngetcwd\n)R."
	layer := `{"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"name": "w", "module": "` +
		base64.StdEncoding.EncodeToString([]byte(module)) + `"}}`
	found := judge([]config{{where: "config.json", text: `{"class_name": "Sequential", "config": {"layers": [` + layer + `]}}`}})
	if len(found) != 1 || string(found[0].Payload) != module || found[0].RunsCode {
		t.Errorf("found: %+v", found)
	}
}
