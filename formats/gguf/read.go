package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/quantity"
	"wfs/formats/segment"
	"wfs/formats/source"
)

const magic = "GGUF"

// Bounds of the tensors. llama.cpp has no more than 4 dimensions and names of 63 bytes; gguf's
// writer takes more.
const (
	maxTensors = 500_000
	maxDims    = 8
	maxName    = 1<<16 - 1
)

// Offsets count from the end of the header, which is padded to an alignment.
const (
	usualAlignment = 32
	maxAlignment   = 1 << 20
)

// Format is the reader of GGUF files, of each by itself.
func Format() checkpoint.Format {
	return checkpoint.Format{Name: "gguf", Detect: detect, Open: Open}
}

func detect(prefix []byte, _ segment.Data) checkpoint.Match {
	if strings.HasPrefix(string(prefix), magic) {
		return checkpoint.Certain
	}
	return checkpoint.No
}

// Open reads and checks the header. Tensors may lie in any order and have gaps between them;
// those that overlap, or leave the file, are an error. A type that is not known is omitted.
func Open(src source.Source) (*checkpoint.Checkpoint, error) {
	c := &cursor{src: src, order: binary.LittleEndian}
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	tensors, err := c.u64("the number of tensors")
	if err != nil {
		return nil, err
	}
	pairs, err := c.u64("the number of key-value pairs")
	if err != nil {
		return nil, err
	}
	meta, err := c.pairs(pairs)
	if err != nil {
		return nil, err
	}
	alignment, err := meta.alignment()
	if err != nil {
		return nil, err
	}
	infos, err := c.infos(tensors)
	if err != nil {
		return nil, err
	}
	out := &checkpoint.Checkpoint{
		Format: fmt.Sprintf("GGUF v%d", version), Source: src, Separator: ".", Framework: "pt",
		Objects: meta, Files: meta.templates(src),
	}
	if c.order == binary.BigEndian {
		out.Format += ", big endian"
	}
	no, count, split := meta.split()
	if split {
		out.Notes = append(out.Notes, splitNote(no, count))
	}
	if kind, note := meta.kind(len(infos) == 0 && !split); kind != "" {
		out.Format += ", " + kind
		out.Notes = append(out.Notes, note)
	}
	begin := min(roundUp(c.pos, alignment), src.Size())
	err = place(out, infos, segment.NewRange(src, begin, src.Size()-begin), alignment, c.order == binary.BigEndian)
	return out, err
}

// version reads the magic and the version, and sets the byte order by it: in a big-endian
// file it is the upper half that is 0 (gguf_reader.py).
func (c *cursor) version() (uint32, error) {
	if _, err := c.take(4, "the signature"); err != nil {
		return 0, err
	}
	version, err := c.u32("the version")
	if err != nil {
		return 0, err
	}
	if version&0xffff == 0 {
		c.order, version = binary.BigEndian, bits.ReverseBytes32(version)
	}
	switch version {
	case 2, 3:
		return version, nil
	case 1:
		return 0, errors.New("it is GGUF version 1, which no program reads any more: convert the model anew")
	}
	return 0, fmt.Errorf("it is GGUF version %d: wfs reads 2 and 3", version)
}

func (m metadata) alignment() (int64, error) {
	value, ok := m["general.alignment"]
	if !ok {
		return usualAlignment, nil
	}
	n, ok := value.(uint64)
	if !ok || n == 0 || n&(n-1) != 0 || n > maxAlignment {
		return 0, fmt.Errorf("general.alignment is %.40s, and not a power of two of at most %d", fmt.Sprint(value), maxAlignment)
	}
	return int64(n), nil
}

func roundUp(n, alignment int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// info is what the header says of a tensor.
type info struct {
	name   string
	shape  []int64
	kind   uint32
	offset uint64
	dtype  checkpoint.DType // Invalid where the kind is not known
	size   int64            // bytes, of a known one
}

// infos reads n tensors.
func (c *cursor) infos(n uint64) ([]info, error) {
	const least = 8 + 4 + 4 + 8
	switch {
	case n > uint64(c.left())/least:
		return nil, fmt.Errorf("its header claims %d tensors in %d bytes", n, c.left())
	case n > maxTensors:
		return nil, fmt.Errorf("its header has %d tensors: wfs reads %d", n, maxTensors)
	}
	infos := make([]info, n)
	seen := make(map[string]bool, n)
	for i := range infos {
		t := &infos[i]
		if err := c.info(t); err != nil {
			return nil, err
		}
		if seen[t.name] {
			return nil, fmt.Errorf("its header has the tensor %.200q twice", t.name)
		}
		seen[t.name] = true
	}
	return infos, nil
}

func (c *cursor) info(t *info) error {
	name, err := c.text("a name", maxName)
	if err != nil {
		return err
	}
	dims, err := c.u32("a tensor")
	if err != nil {
		return err
	}
	if dims > maxDims {
		return fmt.Errorf("tensor %.200q has %d dimensions: wfs reads %d", name, dims, maxDims)
	}
	t.name, t.shape = name, make([]int64, dims)
	for i := range t.shape {
		n, err := c.u64("a tensor")
		if err != nil {
			return err
		}
		if n > 1<<62 {
			return fmt.Errorf("tensor %.200q has a dimension of %d", name, n)
		}
		t.shape[len(t.shape)-1-i] = int64(n) // ggml has the fastest first
	}
	if t.kind, err = c.u32("a tensor"); err != nil {
		return err
	}
	if t.offset, err = c.u64("a tensor"); err != nil {
		return err
	}
	if t.dtype = dtypes[t.kind]; t.dtype == checkpoint.Invalid {
		return nil
	}
	if t.size, err = checkpoint.ByteSize(t.dtype, t.shape); err != nil {
		return fmt.Errorf("tensor %.200q: %w", name, err)
	}
	return nil
}

// place makes the tensors of a file, whose bytes are in data.
func place(out *checkpoint.Checkpoint, infos []info, data *segment.Range, alignment int64, bigEndian bool) error {
	if err := arranged(out, infos, data.N, alignment); err != nil {
		return err
	}
	tensors, ranges := make([]checkpoint.Tensor, len(infos)), make([]segment.Range, len(infos))
	for i, t := range infos {
		switch {
		case t.dtype == checkpoint.Invalid:
			out.Omitted = append(out.Omitted, checkpoint.Omitted{Key: t.name, Reason: "its type is " + typeName(t.kind) + ", which wfs does not read"})
			continue
		case bigEndian && !swapped(t.dtype):
			out.Omitted = append(out.Omitted, checkpoint.Omitted{Key: t.name, Reason: fmt.Sprintf("%s in a big-endian file has no certain byte order", t.dtype)})
			continue
		}
		ranges[i] = *segment.NewRange(data, int64(t.offset), t.size)
		tensors[i] = checkpoint.Tensor{Key: t.name, DType: t.dtype, Shape: t.shape, Data: &ranges[i]}
		if _, width := t.dtype.Block(); bigEndian {
			tensors[i].Data = segment.Swap(&ranges[i], width)
		}
		out.Tensors = append(out.Tensors, &tensors[i])
	}
	return nil
}

func typeName(kind uint32) string {
	if name := unread[kind]; name != "" {
		return fmt.Sprintf("%s (%d)", name, kind)
	}
	return fmt.Sprint(kind)
}

// arranged checks where the tensors of a file lie, in size bytes, and notes what lies between
// them.
func arranged(out *checkpoint.Checkpoint, infos []info, size, alignment int64) error {
	order := make([]*info, 0, len(infos))
	unknown := false
	forked(infos, size, alignment)
	for i := range infos {
		t := &infos[i]
		switch {
		case t.dtype == checkpoint.Invalid:
			unknown = true
			continue
		case t.offset%uint64(alignment) != 0:
			return fmt.Errorf("tensor %.200q begins at %d, which is no multiple of %d", t.name, t.offset, alignment)
		case t.size > 0 && (t.offset > uint64(size) || t.size > size-int64(t.offset)):
			return fmt.Errorf("tensor %.200q takes %d bytes from %d on, of %d that are there: it is truncated, or damaged", t.name, t.size, t.offset, size)
		case t.size == 0 && t.offset > uint64(size):
			t.offset = 0 // it has no bytes: wherever they are
		}
		order = append(order, t)
	}
	slices.SortStableFunc(order, func(a, b *info) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size))
	})
	end, between := int64(0), int64(0)
	last := ""
	for _, t := range order {
		at := int64(t.offset)
		if t.size == 0 {
			continue
		}
		if at < end {
			return fmt.Errorf("tensors %.200q and %.200q overlap", last, t.name)
		}
		between += at - min(at, roundUp(end, alignment))
		end, last = at+t.size, t.name
	}
	between += size - min(size, roundUp(end, alignment))
	if between > 0 && !unknown {
		out.Notes = append(out.Notes, quantity.Of(between, "byte")+" belong to none of its tensors")
	}
	return nil
}

// forked finds out whether the tensors of Q2_0 have the blocks of ggml: others take another
// number of bytes, up to the tensor that follows. They are of no known type then.
func forked(infos []info, size, alignment int64) {
	if !slices.ContainsFunc(infos, func(t info) bool { return t.kind == typeQ20 }) {
		return
	}
	offsets := make([]uint64, len(infos))
	for i := range infos {
		offsets[i] = infos[i].offset
	}
	slices.Sort(offsets)
	fits := func(t *info) bool {
		next := uint64(size)
		if at, _ := slices.BinarySearch(offsets, t.offset+1); at < len(offsets) {
			next = min(next, offsets[at])
		}
		return t.offset <= next && roundUp(t.size, alignment) == roundUp(int64(next-t.offset), alignment)
	}
	for i := range infos {
		if infos[i].kind == typeQ20 && !fits(&infos[i]) {
			for j := range infos {
				if infos[j].kind == typeQ20 {
					infos[j].dtype = checkpoint.Invalid
				}
			}
			return
		}
	}
}
