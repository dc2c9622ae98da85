package formats

import (
	"bytes"
	"crypto/sha256"
	endian "encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wfs/integration/harness"
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
	dir := harness.Mount(t, source)
	var index struct {
		Tensors []struct{ Key, Name string }
		Omitted []struct{ Key, Reason string }
	}
	b, err := os.ReadFile(filepath.Join(dir, "meta", "index.json"))
	harness.Must(t, err)
	harness.Must(t, json.Unmarshal(b, &index))
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
		if strings.HasPrefix(o.Dtype, "V") { // opaque elements are bytes
			dtype, numeric = "U8", true
		}
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
	harness.Must(t, err)
	n := endian.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	harness.Must(t, json.Unmarshal(b[8:8+n], &header))
	delete(header, "__metadata__")
	all := map[string]viewed{}
	for key, text := range header {
		var e struct {
			DType   string
			Offsets [2]uint64 `json:"data_offsets"`
		}
		harness.Must(t, json.Unmarshal(text, &e))
		all[key] = viewed{e.DType, digest(b[8+n+e.Offsets[0] : 8+n+e.Offsets[1]])}
	}
	return all
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// TestHDF5Checksum damages all chunks that begin like those of one dataset with
// fletcher32: reading it fails with EIO and a line in the log, and all else can be read.
func TestHDF5Checksum(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(harness.Root(), "formats", "hdf5", "testdata", "latest.h5"))
	harness.Must(t, err)
	var row []byte // 0, 1, … 7: the first of the chunks of 7 × 8 float32
	for i := range 8 {
		row = endian.LittleEndian.AppendUint32(row, math.Float32bits(float32(i)))
	}
	for at := 0; ; at += len(row) {
		next := bytes.Index(b[at:], row)
		if next < 0 {
			break
		}
		at += next
		b[at] ^= 1
	}
	source, log := filepath.Join(t.TempDir(), "damaged.h5"), filepath.Join(t.TempDir(), "log")
	harness.Must(t, os.WriteFile(source, b, 0o600))
	dir := harness.Mount(t, source, "--log-file", log)
	entries, err := os.ReadDir(filepath.Join(dir, "raw"))
	harness.Must(t, err)
	for _, e := range entries {
		_, err := os.ReadFile(filepath.Join(dir, "raw", e.Name()))
		if bad := e.Name() == "chunked%2Fsum.bin"; bad != errors.Is(err, syscall.EIO) || !bad && err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	if len(entries) < 20 {
		t.Errorf("only %d datasets", len(entries))
	}
	text, err := os.ReadFile(log)
	harness.Must(t, err)
	if n := strings.Count(string(text), "fletcher32"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, text)
	}
}
