package segment

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// file is a file of n zeros: a read costs a system call, as it does in a mount.
func file(b *testing.B, n int64) *os.File {
	f, err := os.Create(filepath.Join(b.TempDir(), "source"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if err := f.Truncate(n); err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkList reads a list of ranges in requests of the kernel's size: many small parts,
// which lie one after the other in the source or do not, and few large ones.
func BenchmarkList(b *testing.B) {
	const request, total = 512 << 10, 64 << 20
	src := file(b, total+total/4096*64)
	for _, c := range []struct {
		name      string
		part, gap int64
		backwards bool
	}{
		{"small", 4 << 10, 64, false},
		{"scattered", 4 << 10, 64, true},
		{"large", 16 << 20, 64, false},
	} {
		parts := []Data{Literal(make([]byte, 4096))}
		for at := int64(0); at < total; at += c.part {
			from := at + at/c.part*c.gap
			if c.backwards {
				from = total - c.part - at
			}
			parts = append(parts, NewRange(src, from, c.part))
		}
		l, err := NewList(parts...)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%s/%d", c.name, len(parts)-1), func(b *testing.B) {
			p := make([]byte, request)
			b.SetBytes(request)
			b.ReportAllocs()
			off := int64(0)
			for b.Loop() {
				if err := ReadFull(l, p, off); err != nil {
					b.Fatal(err)
				}
				if off += request; off+request > l.Size() {
					off = 0
				}
			}
		})
	}
}

// BenchmarkTransposed reads a transposed matrix of 16 MiB.
func BenchmarkTransposed(b *testing.B) {
	const request, side = 512 << 10, 2048
	d, err := NewStrided(nil, file(b, side*side*4), side*side*4, 0, 4, []int64{side, side}, []int64{1, side})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, request)
	b.SetBytes(request)
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		if err := ReadFull(d, p, off); err != nil {
			b.Fatal(err)
		}
		off = (off + request) % d.Size()
	}
}
