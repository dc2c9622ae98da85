package formats_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats"
)

// TestFirstShard has an index of many shards of which several cannot be read: the error is
// that of the first, whichever fails first, and no file stays open.
func TestFirstShard(t *testing.T) {
	const shards = 40
	dir := t.TempDir()
	places := map[string]string{}
	for i := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, shards)
		key := fmt.Sprintf("w%d", i)
		places[key] = name
		header := fmt.Sprintf(`{%q:{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, key)
		content := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+"x"...)
		if i == 7 || i > 30 {
			content = []byte("not a weight file")
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := json.Marshal(map[string]any{"weight_map": places})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), index, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		_, err := formats.Open(dir)
		if err == nil || !strings.Contains(err.Error(), "model-00008-of-00040") {
			t.Fatalf("%v, want an error of shard 8", err)
		}
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	for _, fd := range open {
		if path, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(path, dir) {
			t.Errorf("%s is open", path)
		}
	}
}
