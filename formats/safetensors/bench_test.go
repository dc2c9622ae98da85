package safetensors

import (
	"fmt"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// zeros is a source of any size that holds nothing.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := segment.Clip(p, off, int64(z))
	clear(p)
	if err == nil {
		err = atEnd
	}
	return len(p), err
}

// manyEntries are 100 000 matrices: what the largest models have.
func manyEntries() []checkpoint.Entry {
	entries := make([]checkpoint.Entry, 100_000)
	for i := range entries {
		entries[i] = checkpoint.Entry{
			Key:    fmt.Sprintf("model.layers.%d.mlp.experts.%d.down_proj.weight", i/256, i%256),
			Tensor: &checkpoint.Tensor{DType: checkpoint.BF16, Shape: []int64{16, 16}, Data: zeros(512)},
		}
	}
	return entries
}

// BenchmarkOpen reads a header of 100 000 tensors.
func BenchmarkOpen(b *testing.B) {
	layout, _, err := NewLayout(manyEntries(), map[string]string{"format": "pt"})
	if err != nil {
		b.Fatal(err)
	}
	file, err := layout.File()
	if err != nil {
		b.Fatal(err)
	}
	src := source.NewMemory("many.safetensors", file, nil)
	b.SetBytes(layout.Size() - layout.DataSize())
	b.ReportAllocs()
	for b.Loop() {
		if c, err := Open(src); err != nil || len(c.Tensors) != 100_000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkLayout lays out a view of 100 000 tensors and writes its header: what the first
// open of a view costs.
func BenchmarkLayout(b *testing.B) {
	entries := manyEntries()
	b.ReportAllocs()
	for b.Loop() {
		layout, _, err := NewLayout(entries, map[string]string{"format": "pt"})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(layout.Size() - layout.DataSize())
		if _, err := layout.File(); err != nil {
			b.Fatal(err)
		}
	}
}
