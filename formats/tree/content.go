package tree

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/npy"
	"wfs/formats/ops"
	"wfs/formats/safetensors"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// The contents of a tensor are the tensor itself seen in three ways: no memory
// beyond the tensor's own.
type (
	npyOf     checkpoint.Tensor
	rawOf     checkpoint.Tensor
	float32Of checkpoint.Tensor
)

// npyFile is a header and the data after it.
func npyFile(header []byte, data segment.Data) (segment.Data, error) {
	return segment.NewList(segment.Literal(header), data)
}

func (t *npyOf) header() []byte {
	if t.Void > 0 {
		return npy.Header(npy.Void(t.Void), t.Shape[:len(t.Shape)-1])
	}
	return npy.Header(npy.Descr(t.DType), npy.Shape(t.DType, t.Shape))
}

// Size implements content.
func (t *npyOf) Size() int64 { return int64(len(t.header())) + t.Data.Size() }

// Open implements content.
func (t *npyOf) Open() (segment.Data, error) { return npyFile(t.header(), t.Data) }

func (t *npyOf) attributes() map[string]string { return attributes((*checkpoint.Tensor)(t)) }

// Size implements content.
func (t *rawOf) Size() int64 { return t.Data.Size() }

// Open implements content.
func (t *rawOf) Open() (segment.Data, error) { return t.Data, nil }

func (t *rawOf) attributes() map[string]string { return attributes((*checkpoint.Tensor)(t)) }

func (t *float32Of) wide() (segment.Data, error) {
	return ops.Cast(t.Data, t.DType, checkpoint.F32)
}

// Size implements content.
func (t *float32Of) Size() int64 {
	data, err := t.wide()
	if err != nil {
		return 0
	}
	return int64(len(npy.Header("<f4", t.Shape))) + data.Size()
}

// Open implements content.
func (t *float32Of) Open() (segment.Data, error) {
	data, err := t.wide()
	if err != nil {
		return nil, err
	}
	return npyFile(npy.Header("<f4", t.Shape), data)
}

func attributes(t *checkpoint.Tensor) map[string]string {
	return map[string]string{
		"user.wfs.key":   t.Key,
		"user.wfs.dtype": t.DType.String(),
		"user.wfs.shape": shapeText(t),
	}
}

// shapeText is the sizes, separated by commas.
func shapeText(t *checkpoint.Tensor) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(t.Shape), " ", ","), "[]")
}

// verbatim is a source file as it is.
type verbatim struct{ source.Source }

// Open implements content.
func (v verbatim) Open() (segment.Data, error) { return v.Source, nil }

// viewFile is a synthesized .safetensors file.
type viewFile struct{ *safetensors.Layout }

// Open implements content.
func (v viewFile) Open() (segment.Data, error) { return v.File() }

// generated is a file of meta/, written anew each time it is opened: its size is
// counted when it is first asked for, and its bytes are not kept.
type generated struct {
	write func(io.Writer) error
	size  func() int64
}

func newGenerated(write func(io.Writer) error) generated {
	return generated{write, sync.OnceValue(func() int64 {
		var n counter
		if write(&n) != nil {
			return 0
		}
		return int64(n)
	})}
}

// Size implements content.
func (g generated) Size() int64 { return g.size() }

// Open implements content.
func (g generated) Open() (segment.Data, error) {
	var b bytes.Buffer
	err := g.write(&b)
	return segment.Literal(b.Bytes()), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
