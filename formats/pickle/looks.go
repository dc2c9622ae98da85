package pickle

import (
	"bytes"
	"strings"
)

// LooksLikePickle says whether bytes begin like a pickle that something would
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

// twoNames says whether b begins with two lines that could be a module and a name.
func twoNames(b []byte) bool {
	for range 2 {
		i := bytes.IndexByte(b, '\n')
		if i < 1 {
			return false
		}
		if !isName(string(b[:i])) {
			return false
		}
		b = b[i+1:]
	}
	return true
}

// isName says whether s could be a module, or what a module holds.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if !(c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return s != ""
}
