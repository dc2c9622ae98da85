package arrayprint

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// JSON writes the elements of a tensor as nested arrays, as tolist() has them: numbers with
// the digits that tell them from others of their dtype, true and false, [re, im] for a complex
// number. What JSON has no number for is "NaN", "Infinity" or "-Infinity". Memory does not
// depend on the size.
func JSON(w io.Writer, t *checkpoint.Tensor) error {
	r, err := newReader(t)
	if err != nil {
		return err
	}
	size, err := segment.Count(t.Shape)
	switch {
	case err != nil:
		return err
	case len(t.Shape) > maxAxes:
		return fmt.Errorf("it has %d axes, a NumPy array has %d at most", len(t.Shape), maxAxes)
	case size == 0:
		_, err := io.WriteString(w, "[]")
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	j := &jsonWriter{reader: r, out: out, shape: t.Shape, in: bufio.NewReaderSize(io.NewSectionReader(r.data, 0, r.data.Size()), 1<<18)}
	if err := j.array(0); err != nil {
		return err
	}
	return out.Flush()
}

type jsonWriter struct {
	reader
	in    *bufio.Reader
	out   *bufio.Writer
	shape []int64
	text  []byte
}

func (j *jsonWriter) array(axis int) error {
	if axis == len(j.shape) {
		b := make([]byte, 16)[:j.bytes]
		if _, err := io.ReadFull(j.in, b); err != nil {
			return err
		}
		j.text = j.appendElement(j.text[:0], j.decode(b))
		_, err := j.out.Write(j.text)
		return err
	}
	j.out.WriteByte('[')
	for i := range j.shape[axis] {
		if i > 0 {
			j.out.WriteString(", ")
		}
		if err := j.array(axis + 1); err != nil {
			return err
		}
	}
	return j.out.WriteByte(']')
}

func (j *jsonWriter) appendElement(b []byte, e element) []byte {
	switch j.form {
	case boolean:
		return strconv.AppendBool(b, e.bits != 0)
	case signed, unsigned:
		return append(b, j.integer(e)...)
	case real:
		return j.appendFloat(b, e.re)
	}
	b = j.appendFloat(append(b, '['), e.re)
	b = j.appendFloat(append(b, ", "...), e.im)
	return append(b, ']')
}

func (j *jsonWriter) appendFloat(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return append(b, scalar(v, j.bits)...)
}
