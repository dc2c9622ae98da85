package harness

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
)

// storages are torch's names of the types of storages, and the bytes of an element.
var storages = map[string]struct {
	name string
	size int
}{
	"BOOL": {"Bool", 1}, "U8": {"Byte", 1}, "I8": {"Char", 1}, "I16": {"Short", 2}, "I32": {"Int", 4}, "I64": {"Long", 8},
	"F16": {"Half", 2}, "BF16": {"BFloat16", 2}, "F32": {"Float", 4}, "F64": {"Double", 8},
}

// WriteTorch writes a file as torch.save does of a dict: the tensors in their order, then
// others, by key. A value among these is an int, a string, a Tensor, a []any or a
// map[string]any.
func WriteTorch(t testing.TB, path string, others map[string]any, tensors ...Tensor) {
	t.Helper()
	file, err := os.Create(path)
	Must(t, err)
	defer file.Close()
	w := &torchWriter{t: t, zip: zip.NewWriter(file)}
	w.text("\x80\x02}(")
	for _, tensor := range tensors {
		w.value(tensor.Key)
		w.tensor(&tensor)
	}
	for _, key := range slices.Sorted(maps.Keys(others)) {
		w.value(key)
		w.value(others[key])
	}
	w.text("u.")
	w.record("data.pkl", w.pickle)
	w.record("byteorder", []byte("little"))
	for i, storage := range w.storages {
		w.record("data/"+strconv.Itoa(i), storage)
	}
	w.record("version", []byte("3\n"))
	Must(t, w.zip.Close())
}

type torchWriter struct {
	t        testing.TB
	zip      *zip.Writer
	pickle   []byte
	storages [][]byte
}

func (w *torchWriter) text(s string) { w.pickle = append(w.pickle, s...) }

// value pickles a value of a dict.
func (w *torchWriter) value(v any) {
	switch v := v.(type) {
	case int:
		w.pickle = binary.LittleEndian.AppendUint32(append(w.pickle, 'J'), uint32(v))
	case string:
		w.pickle = binary.LittleEndian.AppendUint32(append(w.pickle, 'X'), uint32(len(v)))
		w.text(v)
	case Tensor:
		w.tensor(&v)
	case []any:
		w.text("](")
		for _, item := range v {
			w.value(item)
		}
		w.text("e")
	case map[string]any:
		w.text("}(")
		for _, key := range slices.Sorted(maps.Keys(v)) {
			w.value(key)
			w.value(v[key])
		}
		w.text("u")
	default:
		w.t.Fatalf("%T cannot be pickled here", v)
	}
}

func (w *torchWriter) tuple(numbers []int64) {
	w.text("(")
	for _, n := range numbers {
		w.value(int(n))
	}
	w.text("t")
}

// tensor pickles the call that rebuilds a tensor of a storage.
func (w *torchWriter) tensor(tensor *Tensor) {
	storage, ok := storages[tensor.DType]
	if !ok {
		w.t.Fatalf("torch has no storage of %s", tensor.DType)
	}
	number := slices.IndexFunc(w.storages, func(b []byte) bool { return len(b) > 0 && len(tensor.Data) > 0 && &b[0] == &tensor.Data[0] })
	if number < 0 {
		number = len(w.storages)
		w.storages = append(w.storages, tensor.Data)
	}
	strides := tensor.Strides
	if strides == nil {
		strides = make([]int64, len(tensor.Shape))
		step := int64(1)
		for i, n := range slices.Backward(tensor.Shape) {
			strides[i] = step
			step *= n
		}
	}
	w.text("ctorch._utils\n_rebuild_tensor_v2\n((")
	w.value("storage")
	w.text("ctorch\n" + storage.name + "Storage\n")
	w.value(strconv.Itoa(number))
	w.value("cpu")
	w.value(len(tensor.Data) / storage.size)
	w.text("tQ") // the tuple is the storage's persistent id
	w.value(0)
	w.tuple(tensor.Shape)
	w.tuple(strides)
	w.text("\x89ccollections\nOrderedDict\n)RtR") // requires_grad, no hooks
}

// record adds a record that is not compressed.
func (w *torchWriter) record(name string, data []byte) {
	out, err := w.zip.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
	Must(w.t, err)
	_, err = out.Write(data)
	Must(w.t, err)
}

func jsonText(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	Must(t, err)
	return b
}
