package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

// patched is a file of the oldest format to which structures are appended. Offsets and
// lengths have eight bytes.
type patched struct {
	b    []byte
	base int64
}

// append adds a structure and returns its address.
func (p *patched) append(b []byte) uint64 {
	for len(p.b)%8 != 0 {
		p.b = append(p.b, 0)
	}
	at := uint64(int64(len(p.b)) - p.base)
	p.b = append(p.b, b...)
	return at
}

func words(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// message1 is a message of a version 1 header.
func message1(kind uint16, body []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(body)))
	return append(append(b, 0, 0, 0, 0), body...)
}

// root makes a version 1 header with these messages the root of the file.
func (p *patched) root(t *testing.T, messages []byte) {
	t.Helper()
	head := []byte{1, 0, 1, 0, 1, 0, 0, 0}
	head = binary.LittleEndian.AppendUint32(head, uint32(len(messages)))
	addr := p.append(append(append(head, 0, 0, 0, 0), messages...))
	old := words(open(t, p.b).root)
	at := bytes.Index(p.b[p.base:p.base+128], old)
	if at < 0 {
		t.Fatal("the superblock names no root")
	}
	copy(p.b[p.base+int64(at):], words(addr))
}

// names is the address of the root group's heap of names.
func (p *patched) names(t *testing.T) []byte {
	t.Helper()
	root, err := open(t, p.b).Root()
	if err != nil {
		t.Fatal(err)
	}
	return root.header.find(messageSymbolTable).body[8:16]
}

// TestCycles builds what a walk must not follow for ever: blocks of a header that lead to
// each other, and a B-tree whose every node has one child twice, 2²⁵⁵ paths in all.
func TestCycles(t *testing.T) {
	whole := fixture(t, "seed-old.h5")
	base := open(t, whole).base
	for name, c := range map[string]struct {
		build func(p *patched)
		want  string
	}{
		"continuations": {func(p *patched) {
			to := p.append(make([]byte, 24))
			copy(p.b[base+int64(to):], message1(messageContinuation, words(to, 24)))
			p.root(t, message1(messageContinuation, words(to, 24)))
		}, "leads back"},
		"shared nodes": {func(p *patched) {
			node := func(level, used byte, body ...uint64) uint64 {
				b := append([]byte("TREE\x00"), level, used, 0)
				return p.append(append(b, words(append([]uint64{undefined, undefined}, body...)...)...))
			}
			child := node(0, 0)
			for level := 1; level < 256; level++ {
				child = node(byte(level), 2, 0, child, 0, child, 0)
			}
			p.root(t, message1(messageSymbolTable, append(words(child), p.names(t)...)))
		}, "more structures"},
		"a node under itself": {func(p *patched) {
			at := p.append(make([]byte, 8+2*8+3*8))
			copy(p.b[base+int64(at):], append([]byte("TREE\x00\x01\x01\x00"), words(undefined, undefined, 0, at, 0)...))
			p.root(t, message1(messageSymbolTable, append(words(at), p.names(t)...)))
		}, "level"},
	} {
		p := &patched{bytes.Clone(whole), base}
		c.build(p)
		start := processorTime(t)
		err := open(t, p.b).Walk(func(string, Object) error { return nil })
		var broken *FormatError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if took := processorTime(t) - start; took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}
