package integration

import (
	"crypto/sha256"
	endian "encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// shown are the dtypes that tensor files have, and the view's names for them.
var shown = map[string]string{
	"i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64", "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64",
	"f2": "F16", "f4": "F32", "f8": "F64", "bool": "BOOL", "c8": "C64", "c16": "",
	"bf16": "BF16", "f8e4": "F8_E4M3", "f8e5": "F8_E5M2",
}

// compareMount mounts a random file and compares tensors/, raw/ and the view with what
// h5py reads: each dataset is a tensor, or left out with its reason.
func compareMount(t *testing.T, source string, want *hdf5File) {
	dir := mount(t, source)
	var index struct {
		Tensors []struct{ Key, Name string }
		Omitted []struct{ Key, Reason string }
	}
	b, err := os.ReadFile(filepath.Join(dir, "meta", "index.json"))
	must(t, err)
	must(t, json.Unmarshal(b, &index))
	names, reasons := map[string]string{}, map[string]string{}
	for _, e := range index.Tensors {
		names[e.Key] = e.Name
	}
	for _, e := range index.Omitted {
		reasons[e.Key] = e.Reason
	}
	view := readView(t, filepath.Join(dir, "model.safetensors"))
	tensors := 0
	for path, o := range want.Objects {
		dtype, numeric := shown[o.Dtype]
		if o.Kind != "dataset" || !numeric {
			if (o.Kind == "group" || o.Kind == "datatype") == (reasons[path] != "") || names[path] != "" {
				t.Errorf("%s: a %s %s is the tensor %q, or left out because %q", path, o.Dtype, o.Kind, names[path], reasons[path])
			}
			continue
		}
		tensors++
		for file, head := range map[string]bool{"raw/" + names[path] + ".bin": false, "tensors/" + names[path] + ".npy": true} {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if head {
				b = b[min(len(b), 10+int(endian.LittleEndian.Uint16(b[8:]))):]
			}
			if digest(b) != o.SHA256 {
				t.Errorf("%s: %s has other bytes", path, file)
			}
		}
		if got, ok := view[path]; dtype != "" && (!ok || got.dtype != dtype || got.digest != o.SHA256) || dtype == "" && ok {
			t.Errorf("%s: the view has %q %s", path, got.dtype, got.digest)
		}
	}
	if len(names) != tensors {
		t.Errorf("%d tensors, want %d", len(names), tensors)
	}
}

// viewed is a tensor of a view.
type viewed struct{ dtype, digest string }

// readView reads a whole safetensors file.
func readView(t *testing.T, path string) map[string]viewed {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	n := endian.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	must(t, json.Unmarshal(b[8:8+n], &header))
	delete(header, "__metadata__")
	all := map[string]viewed{}
	for key, text := range header {
		var e struct {
			DType   string
			Offsets [2]uint64 `json:"data_offsets"`
		}
		must(t, json.Unmarshal(text, &e))
		all[key] = viewed{e.DType, digest(b[8+n+e.Offsets[0] : 8+n+e.Offsets[1]])}
	}
	return all
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
