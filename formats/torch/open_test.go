package torch

import (
	"slices"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/readertest"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// The files in testdata were written by torch (integration/py/write_seeds.py).
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	return readertest.Files(t, "testdata/*.p*", 10)
}

func openBytes(b []byte) (*checkpoint.Checkpoint, error) {
	return Open(source.NewMemory("test", segment.Literal(b), nil), nil, nil)
}

func TestOpenKeys(t *testing.T) {
	plain := []string{"w", "t", "s", "e", "tied", "h", "b", "u", "c", "scalar", "empty"}
	model := []string{"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"}
	want := map[string]struct {
		format, root string
		view         []string
	}{
		"state_dict.pt":   {"torch zip", "", plain},
		"protocol5.pt":    {"torch zip", "", plain},
		"legacy.pt":       {"torch legacy", "", plain},
		"whole.pt":        {"torch zip", "", model},
		"whole_legacy.pt": {"torch legacy", "", model},
		"checkpoint.pt":   {"torch zip", "model_state_dict", model},
		"script.pt":       {"TorchScript", "", []string{"weight", "bias"}},
		"plain2.pkl":      {"pickle", "", []string{"a", "n"}},
		"plain4.pkl":      {"pickle", "", []string{"a", "n"}},
		"tar.pt":          {"torch tar", "", []string{"a", "b", "transposed", "view"}},
		"legacy1.pt":      {"torch legacy", "", []string{"w"}},
		"sharded.pt": {"torch zip", "", []string{
			"w.local_shards.0.tensor", "w.local_shards.0.shard_offsets", "w.local_shards.0.shard_sizes",
			"w.local_shards.1.tensor", "w.local_shards.1.shard_offsets", "w.local_shards.1.shard_sizes", "w.size",
		}},
		"unusual.pt": {"torch zip", "", []string{
			"own.0", "own.0#2", "own.1.key", "device", "packed.int_repr", "packed.size", "packed.scale", "packed.zero_point",
			"packed.axis", "keys.1", "keys.1#2", "m.weight",
		}},
		"parts.pt": {"torch zip", "", []string{
			"s.indices", "s.values", "s.size", "csr.crow_indices", "csr.col_indices", "csr.values", "csr.size",
			"p", "q.int_repr", "q.scale", "q.zero_point",
		}},
	}
	for name, b := range seeds(t) {
		w, ok := want[name]
		if !ok {
			t.Errorf("%s: no expectation for this seed file", name)
			continue
		}
		c, err := openBytes(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		root := ""
		if len(c.Candidates) == 1 {
			root = c.Candidates[0].Key
		}
		var keys []string
		for _, e := range c.Below(root) {
			keys = append(keys, e.Key)
		}
		if c.Format != w.format || root != w.root || !slices.Equal(keys, w.view) {
			t.Errorf("%s: format %q, root %q, keys %q; want %q, %q, %q", name, c.Format, root, keys, w.format, w.root, w.view)
		}
	}
}

// exercise opens a file and reads all that it claims to hold, up to a bound. It
// returns the bytes read.
func exercise(t testing.TB, b []byte) (read int64) {
	start := time.Now()
	c, err := openBytes(b)
	if err == nil {
		buf := make([]byte, 1<<16)
		for _, tensor := range c.Tensors {
			size, err := checkpoint.ByteSize(tensor.DType, tensor.Shape)
			if err != nil || size != tensor.Data.Size() {
				t.Errorf("tensor %q of %s %v has %d bytes (%v)", tensor.Key, tensor.DType, tensor.Shape, tensor.Data.Size(), err)
			}
			n, _ := tensor.Data.ReadAt(buf, max(0, size/2-100))
			if read += int64(n); read > 1<<24 || time.Since(start) > time.Second {
				break
			}
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a file of %d bytes took %s", len(b), took)
	}
	return read
}

func TestReader(t *testing.T) { readertest.Run(t, Format(nil, nil), seeds(t)) }

func FuzzOpen(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b) })
}
