package formats

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
	"wfs/integration/harness"
)

// ggufTensor is what gguf says of a tensor: sums of its bytes, and of its float32.
type ggufTensor struct {
	DType string  `json:"dtype"`
	Shape []int64 `json:"shape"`
	Raw   string  `json:"raw"`
	F32   string  `json:"f32"`
}

// TestGGUF compares 1240 random tensors of all types with gguf.dequantize, bit for bit; and
// mounts and copies of models, whole, split and in directories, with what gguf reads of them.
func TestGGUF(t *testing.T) {
	t.Parallel()
	var written struct {
		Files []struct {
			Path    string                `json:"path"`
			Tensors map[string]ggufTensor `json:"tensors"`
		} `json:"files"`
		Cases []map[string]string `json:"cases"`
	}
	harness.Python(t, harness.Torch, "write_gguf.py", nil, &written, t.TempDir())
	compared, widened := 0, 0
	for _, file := range written.Files {
		m, err := formats.Open(file.Path)
		harness.Must(t, err)
		if m.Count() != len(file.Tensors) {
			t.Errorf("%s: %d tensors, want %d", file.Path, m.Count(), len(file.Tensors))
		}
		for _, one := range m.Tensors() {
			want := file.Tensors[one.Key]
			if one.DType.String() != want.DType || checkpoint.ShapeText(one.Shape) != checkpoint.ShapeText(want.Shape) || sumOf(t, one.Data, false) != want.Raw {
				t.Errorf("%s: %s is %s %v, or has other bytes; want %+v", file.Path, one.Key, one.DType, one.Shape, want)
			}
			compared++
			if want.F32 == "" {
				continue
			}
			wide, err := ops.Cast(one.Data, one.DType, checkpoint.F32)
			harness.Must(t, err)
			if sumOf(t, wide, true) != want.F32 {
				t.Errorf("%s: %s %s has other values than gguf.dequantize gives", file.Path, one.Key, one.DType)
			}
			widened++
		}
		harness.Must(t, m.Close())
	}
	if compared < 1200 || widened < 900 {
		t.Errorf("%d tensors were compared, %d of them dequantized", compared, widened)
	}

	dir := t.TempDir()
	for i, c := range written.Cases {
		c["mount"] = harness.Mount(t, c["source"])
		c["copy"] = filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
		if r := harness.WFS(t, "cp", "--verify", "--no-sync", c["source"], c["copy"]); r.Code != 0 {
			t.Error(r.Stderr)
		}
		if r := harness.WFS(t, "ls", "--tsv", c["source"]); r.Code != 0 || strings.Count(r.Stdout, "\n") < 8 {
			t.Errorf("ls %s: exit code %d\n%s%s", c["name"], r.Code, r.Stdout, r.Stderr)
		}
		if r := harness.WFS(t, "scan", c["source"]); r.Code != 0 {
			t.Errorf("scan %s: exit code %d\n%s%s", c["name"], r.Code, r.Stdout, r.Stderr)
		}
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_gguf.py", written.Cases, &problems)
	for _, c := range written.Cases {
		t.Run(c["name"], func(t *testing.T) { harness.Verified(t, problems, c["name"]) })
	}
}

// sumOf is the SHA-256 of data; of float32 with all NaNs alike.
func sumOf(t *testing.T, data segment.Data, floats bool) string {
	t.Helper()
	b := make([]byte, data.Size())
	if len(b) > 0 {
		harness.Must(t, segment.ReadFull(data, b, 0))
	}
	for i := 0; floats && i < len(b); i += 4 {
		if v := binary.LittleEndian.Uint32(b[i:]); v&0x7fffffff > 0x7f800000 {
			binary.LittleEndian.PutUint32(b[i:], 0x7fc00000)
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
