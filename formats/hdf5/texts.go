package hdf5

import (
	"bytes"
	"fmt"
)

// maxTextMembers bounds the members of a compound that are remembered.
const maxTextMembers = 256

// HasTexts reports whether elements are bytes or texts, or have such as a part: strings,
// opaque elements, arrays and variable-length sequences of single bytes.
func (t *Datatype) HasTexts() bool { return t.isText() || t.isBytes() || len(t.texts) > 0 }

// HidesTexts reports whether elements hold bytes or texts that Texts does not give.
func (t *Datatype) HidesTexts() bool { return t.hidesTexts }

func (t *Datatype) isText() bool {
	switch t.Kind {
	case KindString, KindVarString, KindOpaque:
		return true
	}
	return t.bytes || t.Class == ClassArray && t.Base.HasTexts()
}

// isBytes reports whether a type is an array of single bytes.
func (t *Datatype) isBytes() bool {
	return t.Class == ClassArray && t.Base.Class == ClassFixed && t.Base.Size == 1
}

// keepTexts remembers a member of a compound.
func (t *Datatype) keepTexts(at uint64, part *Datatype) {
	switch {
	case part.hidesTexts, part.HasTexts() && (len(t.texts) == maxTextMembers || part.Size > t.Size || at > t.Size-part.Size):
		t.hidesTexts = true
	case part.HasTexts():
		t.texts = append(t.texts, member{at, part})
	}
}

// Texts returns the bytes of each element of an attribute of texts, in C order, as they lie
// in the file: with the padding of strings, which programs that keep bytes in them do not
// take off.
func (a *Attribute) Texts() ([][]byte, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.m.texts(&a.Dtype, a.data)
}

// Bytes is an attribute's value as it lies in the file.
func (a *Attribute) Bytes() []byte { return a.data }

// Texts returns the bytes of each element of a dataset of texts. limit is the most bytes that its elements may take in
// the file.
func (d *Dataset) Texts(limit int64) ([][]byte, error) {
	b, err := d.readTexts(limit)
	if err != nil {
		return nil, err
	}
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.m.texts(&d.Dtype, b)
}

// readTexts reads the elements of a dataset of strings or other texts.
func (d *Dataset) readTexts(limit int64) ([]byte, error) {
	if d.storage != "" {
		return nil, &UnsupportedError{d.storage}
	}
	if d.size > limit {
		return nil, &UnsupportedError{fmt.Sprintf("%d bytes of strings", d.size)}
	}
	// What was never written takes no bytes in the file, but would here.
	if d.Dtype.Size == 0 || d.size > d.f.size && d.size > 1<<20 {
		return nil, &UnsupportedError{fmt.Sprintf("%d bytes of strings in a file of %d", d.size, d.f.size)}
	}
	b := make([]byte, d.size)
	if len(b) > 0 {
		if _, err := d.readRaw(b, 0); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// texts is those of the elements in b.
func (m *metadata) texts(t *Datatype, b []byte) ([][]byte, error) {
	c := &textCollector{m: m}
	err := c.elements(t, b)
	return c.out, err
}

type textCollector struct {
	m     *metadata
	out   [][]byte
	total int
}

// elements collects the texts of elements of a type.
func (c *textCollector) elements(t *Datatype, b []byte) error {
	if t.Size == 0 {
		return nil
	}
	for ; uint64(len(b)) >= t.Size; b = b[t.Size:] {
		if err := c.element(t, b[:t.Size]); err != nil {
			return err
		}
	}
	return nil
}

func (c *textCollector) element(t *Datatype, b []byte) error {
	switch {
	case t.Class == ClassCompound:
		for _, part := range t.texts {
			if err := c.element(part.t, b[part.at:part.at+part.t.Size]); err != nil {
				return err
			}
		}
		return nil
	case t.Class == ClassArray && !t.isBytes():
		return c.elements(t.Base, b)
	case t.Class == ClassVarLen:
		var err error
		if b, err = c.m.varString(&cursor{f: c.m.f, b: b, what: "variable-length bytes"}); err != nil {
			return err
		}
	}
	const overhead = 24 // of a slice
	if c.total += len(b) + overhead; c.total > maxText {
		return &UnsupportedError{fmt.Sprintf("more than %d bytes of texts", maxText)}
	}
	c.out = append(c.out, bytes.Clone(b))
	return nil
}
