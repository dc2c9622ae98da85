package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"wfs/formats/segment"
)

// reading is data that tells of its reads.
type reading struct {
	segment.Data
	read func() error
}

func (r reading) ReadAt(p []byte, off int64) (int, error) {
	if err := r.read(); err != nil {
		return 0, err
	}
	return r.Data.ReadAt(p, off)
}

// TestSums reads meta/SHA256SUMS: its size is known before a tensor is read, an error is
// none the next time, and nothing is read twice.
func TestSums(t *testing.T) {
	sub := set("unet", 20, "w", `back\slash`)
	root := set("", 1, "a", "new\nline", "b/c")
	tensors := root.Shards[0].Tensors
	tensors[2].Tied = tensors[0]
	reads, broken := 0, errors.New("broken")
	fail := broken
	tensors[0].Data = reading{tensors[0].Data, func() error { reads++; return fail }}
	tree, all := build(t, Full, root, sub)
	file := all["meta/SHA256SUMS"]
	hash := func(b byte) string { return fmt.Sprintf("%x", sha256.Sum256([]byte{b})) }
	want := strings.Join([]string{
		hash(20) + "  raw/unet/w.bin", hash(1) + "  raw/a.bin", hash(1) + "  raw/b%2Fc.bin", hash(2) + "  raw/new%0Aline.bin", "",
	}, "\n")
	want = `\` + hash(21) + `  raw/unet/back\\slash.bin` + "\n" + want
	if file.Size() != int64(len(want)) || file.Lazy() || reads != 0 {
		t.Errorf("its size is %d, want %d; %d reads", file.Size(), len(want), reads)
	}
	if _, err := fs.ReadFile(tree, "meta/SHA256SUMS"); !errors.Is(err, broken) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("error %v", err)
	}
	fail = nil
	for range 2 {
		if text, err := fs.ReadFile(tree, "meta/SHA256SUMS"); err != nil || string(text) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, text, want)
		}
	}
	if reads != 2 {
		t.Errorf("a tensor was read %d times", reads)
	}
	if n, err := file.content.(segment.Cached).ReadCached(make([]byte, 10), 0); n != 10 || err != nil {
		t.Errorf("from memory: %d, %v", n, err)
	}
	if _, all := build(t, HF, root); all["meta/SHA256SUMS"] != nil {
		t.Error("--layout hf has sums of what it does not show")
	}
}
