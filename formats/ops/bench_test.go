package ops

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// onDisk is an array of zeros in a file: a read costs a system call, as in a mount.
func onDisk(b *testing.B, dtype checkpoint.DType, shape ...int64) Array {
	count, err := segment.Count(shape)
	if err != nil {
		b.Fatal(err)
	}
	n := count * int64(dtype.Bits()) / 8
	f, err := os.Create(filepath.Join(b.TempDir(), "source"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if err := f.Truncate(n); err != nil {
		b.Fatal(err)
	}
	return Array{DType: dtype, Shape: shape, Data: segment.NewRange(f, 0, n), Bands: segment.NewBands(segment.DefaultBandsSize)}
}

// inTurn reads all of an array, over and over, by requests of the kernel's size.
func inTurn(b *testing.B, a Array, err error) {
	if err != nil {
		b.Fatal(err)
	}
	const request = 512 << 10
	p := make([]byte, request)
	b.SetBytes(request)
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		if err := segment.ReadFull(a.Data, p, off); err != nil {
			b.Fatal(err)
		}
		if off += request; off+request > a.Data.Size() {
			off = 0
		}
	}
}

// BenchmarkMove reads what movements make of large arrays, bytes of output.
func BenchmarkMove(b *testing.B) {
	matrix := onDisk(b, checkpoint.BF16, 16384, 16384)
	q := onDisk(b, checkpoint.BF16, 4096, 4096)
	experts := make([]Array, 64)
	for i := range experts {
		experts[i] = onDisk(b, checkpoint.BF16, 1024, 2048)
	}
	b.Run("plain", func(b *testing.B) { inTurn(b, matrix, nil) })
	b.Run("transpose", func(b *testing.B) {
		a, err := Transpose(matrix)
		inTurn(b, a, err)
	})
	b.Run("rope", func(b *testing.B) {
		a, err := Reshape(q, 32, 64, 2, 4096)
		if err == nil {
			a, err = Permute(a, 0, 2, 1, 3)
		}
		inTurn(b, a, err)
	})
	b.Run("conv", func(b *testing.B) { // Keras's HWIO to torch's OIHW
		a, err := Permute(onDisk(b, checkpoint.F32, 3, 3, 1024, 1024), 3, 2, 0, 1)
		inTurn(b, a, err)
	})
	b.Run("experts", func(b *testing.B) {
		up, err := Stack(0, experts[:32]...)
		down, err2 := Stack(0, experts[32:]...)
		if err != nil || err2 != nil {
			b.Fatal(err, err2)
		}
		a, err := Concat(1, up, down)
		inTurn(b, a, err)
	})
	b.Run("experts, transposed", func(b *testing.B) {
		up, err := Stack(0, experts[:32]...)
		down, err2 := Stack(0, experts[32:]...)
		if err != nil || err2 != nil {
			b.Fatal(err, err2)
		}
		a, err := Concat(1, up, down)
		if err == nil {
			a, err = Transpose(a)
		}
		inTurn(b, a, err)
	})
	for _, dim := range []int{1, 2} {
		b.Run(fmt.Sprintf("stack %d", dim), func(b *testing.B) {
			a, err := Stack(dim, experts[:8]...)
			inTurn(b, a, err)
		})
	}
	b.Run("gates", func(b *testing.B) { // of an LSTM of Keras, then transposed for torch
		a, err := Reorder(onDisk(b, checkpoint.F32, 2048, 8192), 1, 4, 0, 2, 1, 3)
		inTurn(b, a, err)
	})
	b.Run("rank", func(b *testing.B) {
		a, err := Rank(q, 1, 3, 8)
		inTurn(b, a, err)
	})
	b.Run("cast and transpose", func(b *testing.B) {
		a, err := q.To(checkpoint.F32)
		if err == nil {
			a, err = Transpose(a)
		}
		inTurn(b, a, err)
	})
}

// BenchmarkMerge reads what arithmetic makes of matrices of bfloat16, rounded to it again.
func BenchmarkMerge(b *testing.B) {
	x, y, z := onDisk(b, checkpoint.BF16, 4096, 4096), onDisk(b, checkpoint.BF16, 4096, 4096), onDisk(b, checkpoint.BF16, 4096, 4096)
	for _, c := range []struct {
		name string
		of   func() (Array, error)
	}{
		{"scale", func() (Array, error) { return Scale(x, 0.5) }},
		{"linear of 2", func() (Array, error) { return linear([]float64{0.3, 0.7}, x, y) }},
		{"linear of 3", func() (Array, error) { return linear([]float64{0.3, 0.7, 0.1}, x, y, z) }},
		{"lerp", func() (Array, error) { return Lerp(x, y, 0.3) }},
		{"difference", func() (Array, error) { return AddDifference(x, y, z, 1) }},
		{"mean of 3", func() (Array, error) { return Mean(x, y, z) }},
		{"nearswap", func() (Array, error) { return Nearswap(x, y, 0.01) }},
		{"slerp", func() (Array, error) { return Slerp(x, y, 0.3) }},
		{"slerp of rows", func() (Array, error) { return SlerpRows(x, y, 0.3) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			a, err := c.of()
			if err == nil {
				a, err = a.To(checkpoint.BF16)
			}
			inTurn(b, a, err)
		})
	}
}
