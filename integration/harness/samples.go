package harness

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Tensor is a tensor of a source that a test writes itself. Tensors with the same Data
// are tied in a torch file: they share a storage.
type Tensor struct {
	Key     string
	DType   string // as safetensors has it: F32, BF16, I64 …
	Shape   []int64
	Strides []int64 // of torch; nil is C order
	Data    []byte
}

var smallOnce struct {
	sync.Once
	path string
}

// Small is a torch file of four tensors, 300 bytes in all, with a transposed one, one of
// BF16, a scalar, and objects that are not tensors. Tests share it and leave it as it is.
func Small(t testing.TB) string {
	t.Helper()
	smallOnce.Do(func() {
		path := filepath.Join(Dir(t, "small"), "small.pt")
		WriteTorch(t, path, map[string]any{"epoch": 3, "names": []any{"a", "b"}}, SmallTensors()...)
		smallOnce.path = path
	})
	if smallOnce.path == "" {
		t.Fatal("it could not be written before")
	}
	return smallOnce.path
}

// SmallTensors is what is in [Small].
func SmallTensors() []Tensor {
	var w, transposed, half []byte
	for i := range 35 {
		w = binary.LittleEndian.AppendUint32(w, math.Float32bits(float32(i)/8-2))
	}
	for i := range 12 {
		transposed = binary.LittleEndian.AppendUint32(transposed, math.Float32bits(float32(i)))
	}
	for i := range 9 {
		half = binary.LittleEndian.AppendUint16(half, uint16(math.Float32bits(1.5*float32(i))>>16))
	}
	return []Tensor{
		{Key: "w", DType: "F32", Shape: []int64{5, 7}, Data: w},
		{Key: "t", DType: "F32", Shape: []int64{3, 4}, Strides: []int64{1, 3}, Data: transposed},
		{Key: "h", DType: "BF16", Shape: []int64{9}, Data: half},
		{Key: "s", DType: "I64", Data: []byte{2, 0, 0, 0, 0, 0, 0, 0}},
	}
}

// LargeTensors is how many tensors there are in [Large].
const LargeTensors = 16

var largeOnce sync.Once

// Large is a torch file of sixteen tensors of 4 MiB, all bytes random. It is the test's
// own: the test may damage it.
func Large(t testing.TB) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(binaryPath), "large.pt")
	largeOnce.Do(func() {
		random := rand.NewChaCha8([32]byte{5})
		tensors := make([]Tensor, LargeTensors)
		for i := range tensors {
			data := make([]byte, 4<<20)
			random.Read(data)
			tensors[i] = Tensor{Key: fmt.Sprintf("layer.%d.weight", i), DType: "I32", Shape: []int64{1024, 1024}, Data: data}
		}
		WriteTorch(t, path, nil, tensors...)
	})
	own := filepath.Join(t.TempDir(), "large.pt")
	Must(t, os.WriteFile(own, ReadFile(t, path), 0o644))
	return own
}

// TensorFile is the file of the bytes of tensor i in a mount of [Large].
func TensorFile(mount string, i int) string {
	return filepath.Join(mount, "raw", fmt.Sprintf("layer.%d.weight.bin", i))
}

// ReadTensors reads the tensors in a mount of [Large].
func ReadTensors(t testing.TB, mount string) [][]byte {
	t.Helper()
	var tensors [][]byte
	for i := range LargeTensors {
		tensors = append(tensors, ReadFile(t, TensorFile(mount, i)))
	}
	return tensors
}

// WriteSafetensors writes a safetensors file. The tensors lie in it in the order given.
func WriteSafetensors(t testing.TB, path string, metadata map[string]string, tensors ...Tensor) {
	t.Helper()
	header := []byte("{")
	if metadata != nil {
		header = fmt.Appendf(header, `"__metadata__":%s,`, jsonText(t, metadata))
	}
	var data []byte
	for _, tensor := range tensors {
		end := len(data) + len(tensor.Data)
		header = fmt.Appendf(header, `%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]},`,
			jsonText(t, tensor.Key), tensor.DType, jsonText(t, append([]int64{}, tensor.Shape...)), len(data), end)
		data = append(data, tensor.Data...)
	}
	header = append(bytes.TrimSuffix(header, []byte(",")), '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	Must(t, os.WriteFile(path, append(append(file, header...), data...), 0o644))
}
