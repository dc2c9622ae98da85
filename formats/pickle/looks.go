package pickle

import (
	"bytes"
	"errors"
	"strings"
	"wfs/formats/segment"
)

// LooksLikePickle reports whether bytes begin like a pickle that something would
// load: a PROTO of a known protocol, or the opcodes that protocols 0 and 1 begin
// containers and globals with.
func LooksLikePickle(b []byte) bool {
	if len(b) >= 2 && b[0] == byte(Proto) {
		return b[1] <= highestProtocol
	}
	if len(b) < 2 {
		return false
	}
	switch Code(b[0]) {
	case Mark: // (dp0, (lp0, (i__main__
		return strings.IndexByte("dlitc(", b[1]) >= 0 || opcodes[b[1]].name != "" && b[1] < ' '
	case GlobalOp:
		return twoNames(b[1:])
	case EmptyDict, EmptyList, EmptyTuple:
		return b[1] == byte(Stop) || b[1] == byte(BinPut) || b[1] == byte(Put) || b[1] == byte(Mark)
	}
	return false
}

// twoNames reports whether b begins with two lines that could be a module and a name.
func twoNames(b []byte) bool {
	for range 2 {
		i := bytes.IndexByte(b, '\n')
		if i < 1 {
			return false
		}
		if !IsName(string(b[:i])) {
			return false
		}
		b = b[i+1:]
	}
	return true
}

// IsName reports whether s could be a module, or what a module holds.
func IsName(s string) bool {
	for _, c := range []byte(s) {
		if !(c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return s != ""
}

// MayName reports whether bytes could begin a pickle that names something: opcodes up to
// the first that names a global, or as far as the bytes go.
func MayName(head []byte) bool {
	s := NewScanner(bytes.NewReader(head), 0, int64(len(head)))
	var op Op
	for {
		if err := s.Next(&op); err != nil {
			return !errors.Is(err, errOpcode)
		}
		switch op.Code {
		case GlobalOp, StackGlobal, Inst, Ext1, Ext2, Ext4:
			return true
		case Stop:
			return false
		}
	}
}

// Head is the bytes at off of data that LooksLikePickle and MayName are to see.
func Head(data segment.Data, off int64) []byte {
	head := make([]byte, headSize)
	n, _ := data.ReadAt(head[:max(0, min(int64(len(head)), data.Size()-off))], off)
	return head[:n]
}
