package safetensors

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// maxHeader is the limit of the reference reader (tensor.rs, MAX_HEADER_SIZE).
const maxHeader = 100_000_000

// maxTensors bounds what a header of that size makes of memory: about 800 bytes for
// each tensor of a mount. The largest models have some 100 000.
const maxTensors = 500_000

// maxDims is more dimensions than any tensor has.
const maxDims = 1024

// Format is the reader of .safetensors files.
func Format() checkpoint.Format {
	return checkpoint.Format{Name: "safetensors", Detect: detect, Open: Open}
}

// detect looks for a length that is not text, and the brace that the header begins with. A
// length that no header has may be something else: GGUF with 123 tensors.
func detect(prefix []byte, _ segment.Data) checkpoint.Match {
	if len(prefix) <= 8 || strings.IndexByte("{ \n\r\t", prefix[8]) < 0 {
		return checkpoint.No
	}
	switch n := binary.LittleEndian.Uint64(prefix); {
	case n <= maxHeader:
		return checkpoint.Certain
	case n>>40 == 0:
		return checkpoint.Likely
	}
	return checkpoint.No
}

// Open reads and checks the header. The rules are those of the format: unique
// names, known dtypes, offsets that cover the file without holes or overlaps, and
// sizes that match the shapes.
func Open(src source.Source) (*checkpoint.Checkpoint, error) {
	header, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	out := &checkpoint.Checkpoint{
		Format: "safetensors", Source: src, Separator: ".", Framework: "pt", Verbatim: true,
	}
	data := int64(8 + len(header))
	p := &parser{b: header}
	var entries []entry
	seen := map[string]bool{}
	err = p.object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("its header names %q twice", key)
		}
		seen[key] = true
		if key == "__metadata__" {
			out.Metadata, err = p.metadata()
			return err
		}
		e, err := p.entry(key)
		if entries = append(entries, e); len(entries) > maxTensors {
			return fmt.Errorf("its header has more than %d tensors", maxTensors)
		}
		return err
	})
	if p.space(); err == nil && p.pos < len(p.b) {
		err = fmt.Errorf("%w: something follows it", errSyntax)
	}
	if err != nil {
		return nil, err
	}
	if out.Metadata["format"] != "" {
		out.Framework = out.Metadata["format"]
	}
	sort.SliceStable(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		return a.begin < b.begin || a.begin == b.begin && a.end < b.end
	})
	out.Tensors = make([]*checkpoint.Tensor, len(entries))
	at := int64(0)
	for i, e := range entries {
		if e.begin != at {
			return nil, fmt.Errorf("tensor %q begins at %d, the one before it ends at %d", e.key, e.begin, at)
		}
		size, err := checkpoint.ByteSize(e.dtype, e.shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.key, err)
		}
		if e.end-e.begin != size {
			return nil, fmt.Errorf("tensor %q has %d bytes for %s %v, which takes %d", e.key, e.end-e.begin, e.dtype, e.shape, size)
		}
		at = e.end
		out.Tensors[i] = &checkpoint.Tensor{
			Key: e.key, DType: e.dtype, Shape: e.shape,
			Data: &segment.Range{Src: src, Off: data + e.begin, N: size},
		}
	}
	switch have := src.Size() - data; {
	case have < at:
		return nil, fmt.Errorf("it is truncated: its tensors take %d bytes, and %d are there: fetch it again", at, have)
	case have > at:
		return nil, fmt.Errorf("%d bytes follow its tensors, and safetensors takes none: something was appended", have-at)
	}
	return out, nil
}

func readHeader(src segment.Data) ([]byte, error) {
	var head [8]byte
	if err := segment.ReadFull(src, head[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader {
		return nil, fmt.Errorf("its header claims %d bytes, %d are allowed", n, maxHeader)
	}
	if int64(n) > src.Size()-8 {
		return nil, fmt.Errorf("its header claims %d bytes, %d are left", n, src.Size()-8)
	}
	header := make([]byte, n)
	if err := segment.ReadFull(src, header, 8); err != nil {
		return nil, err
	}
	return header, validUTF8(header)
}

// entry is a tensor of the header.
type entry struct {
	key        string
	dtype      checkpoint.DType
	shape      []int64
	begin, end int64
}

func (p *parser) entry(key string) (entry, error) {
	e := entry{key: key}
	var fields [3]bool // dtype, shape, data_offsets
	once := func(i int, name string) error {
		if fields[i] {
			return fmt.Errorf("tensor %q has two fields %s", key, name)
		}
		fields[i] = true
		return nil
	}
	err := p.object(func(name string) error {
		switch name {
		case "dtype":
			if err := once(0, name); err != nil {
				return err
			}
			s, err := p.text()
			if err != nil {
				return err
			}
			if e.dtype, err = checkpoint.ParseDType(s); err != nil {
				return fmt.Errorf("tensor %q: %w", key, err)
			}
		case "shape":
			if err := once(1, name); err != nil {
				return err
			}
			var err error
			e.shape, err = p.numbers(maxDims)
			return err
		case "data_offsets":
			if err := once(2, name); err != nil {
				return err
			}
			offsets, err := p.numbers(2)
			if err != nil {
				return err
			}
			if len(offsets) != 2 || offsets[0] > offsets[1] {
				return fmt.Errorf("tensor %q has wrong data_offsets %v", key, offsets)
			}
			e.begin, e.end = offsets[0], offsets[1]
		default:
			return p.skip(0)
		}
		return nil
	})
	if err == nil && fields != [3]bool{true, true, true} {
		err = fmt.Errorf("tensor %q lacks dtype, shape or data_offsets", key)
	}
	return e, err
}

// metadata reads a map of strings; null counts as none.
func (p *parser) metadata() (map[string]string, error) {
	if p.peek() == 'n' {
		return nil, p.skip(0)
	}
	out := map[string]string{}
	return out, p.object(func(key string) error {
		if _, dup := out[key]; dup {
			return fmt.Errorf("its __metadata__ names %.200q twice", key)
		}
		if found := valueOf(p.peek()); found != "" && found != "a string" {
			return fmt.Errorf("the value of %.200q in its __metadata__ is %s, and safetensors takes strings only: write it as one", key, found)
		}
		value, err := p.text()
		out[key] = value
		return err
	})
}
