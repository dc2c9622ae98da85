package pickle

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

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

// IsName reports whether s could be a module, or what a module holds: Python imports
// whatever a file can be called.
func IsName(s string) bool {
	const longest = 4096
	return s != "" && len(s) <= longest && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Guess is what the first bytes of something would do as a pickle.
type Guess uint8

// The guesses.
const (
	NotPickle Guess = iota // Python fails before they name anything
	Plain                  // they reach STOP, name nothing and hold no bytes
	Names                  // they name a global
	Undecided              // they are opcodes as far as the bytes at hand go
)

// maxGuessMarks is how many marks a guess follows.
const maxGuessMarks = 32

// simulation is a machine that knows of its stack how high it is.
type simulation struct {
	depth int
	marks [maxGuessMarks]int
	n     int // marks that are set
	put   bool
	holds bool // bytes or text that could be a pickle
}

func (m *simulation) fence() int {
	if m.n == 0 {
		return 0
	}
	return m.marks[m.n-1]
}

// GuessAt runs what head begins with, the first bytes of size that there are, on a
// machine without values. It allocates nothing: it is for every text of a pickle. end is
// where STOP was found.
func GuessAt(head string, size int64) (guess Guess, end int) {
	var m simulation
	for at := 0; at < len(head); {
		code := Code(head[at])
		info := &opcodes[code]
		if info.name == "" {
			return NotPickle, 0
		}
		n, ok := argumentLength(info.arg, head[at+1:], size-int64(at)-1)
		switch {
		case !ok:
			return NotPickle, 0
		case code == Stop && m.depth > m.fence() && m.holds:
			return Undecided, 0
		case code == Stop && m.depth > m.fence():
			return Plain, at + 1
		case code != Inst && !m.step(code): // pickle.py names what INST does before it looks for the mark
			return NotPickle, 0
		case n < 0: // the argument goes on past head
			return Undecided, 0
		}
		switch code {
		case GlobalOp, Inst:
			if !plausibleNames(head[at+1 : at+1+n]) {
				return NotPickle, 0
			}
			return Names, 0
		case StackGlobal, Ext1, Ext2, Ext4:
			return Names, 0
		case Frame: // it may cut an argument in two
			if binary.LittleEndian.Uint64([]byte(head[at+1:at+9])) <= uint64(size) {
				return Undecided, 0
			}
		}
		if m.n == maxGuessMarks {
			return Undecided, 0
		}
		m.holds = m.holds || n >= minPayload && info.arg != intLine && info.arg != longLine && info.arg != floatLine
		at += 1 + n
	}
	if int64(len(head)) < size {
		return Undecided, 0
	}
	return NotPickle, 0
}

// step moves the stack by one opcode, and reports whether Python could.
func (m *simulation) step(code Code) bool {
	free := m.depth - m.fence()
	switch code {
	case Mark:
		m.marks[m.n] = m.depth
		m.n++
		return true
	case Pop:
		if m.n > 0 && free == 0 {
			m.n--
			return true
		}
		m.depth--
		return free > 0
	case PopMark, TupleOp, ListOp, DictOp, FrozenSet, Obj, Inst, Appends, SetItems, AddItems:
		if m.n == 0 {
			return false
		}
		m.depth = m.fence()
		m.n--
		switch code {
		case TupleOp, ListOp, DictOp, FrozenSet, Obj, Inst:
			m.depth++
		}
		return true
	case Get, BinGet, LongBinGet:
		m.depth++
		return m.put
	case Put, BinPut, LongBinPut, Memoize:
		m.put = true
		return free > 0
	case Proto, Frame:
		return true
	case Stop:
		return false
	}
	takes, gives := 0, 1
	switch code {
	case Dup:
		takes, gives = 1, 2
	case Append, Build, Reduce, NewObj, StackGlobal, Tuple2:
		takes = 2
	case SetItem, NewObjEx, Tuple3:
		takes = 3
	case BinPersID, Tuple1, ReadonlyBuffer:
		takes = 1
	}
	m.depth += gives - takes
	return free >= takes
}

// argumentLength is how long the argument is that rest begins with: -1 if it goes on past
// rest. ok is false if it cannot be read within size bytes.
func argumentLength(arg argument, rest string, size int64) (n int, ok bool) {
	fixed, counted := 0, 0
	switch arg {
	case none:
		return 0, true
	case uint1:
		fixed = 1
	case uint2:
		fixed = 2
	case int4, uint4:
		fixed = 4
	case frame, float8:
		fixed = 8
	case long1, bytes1:
		counted = 1
	case long4, bytes4, bytes4signed:
		counted = 4
	case bytes8:
		counted = 8
	default:
		return lineLength(arg, rest, size)
	}
	if int64(fixed+counted) > size {
		return 0, false
	}
	if fixed+counted > len(rest) {
		return -1, true
	}
	if counted == 0 {
		return fixed, true
	}
	var length [8]byte
	copy(length[:], rest[:counted])
	claimed := binary.LittleEndian.Uint64(length[:])
	if claimed > uint64(size)-uint64(counted) {
		return 0, false
	}
	if claimed > uint64(len(rest)-counted) {
		return -1, true
	}
	return counted + int(claimed), true
}

// lineLength is argumentLength for the arguments that end at a line feed.
func lineLength(arg argument, rest string, size int64) (n int, ok bool) {
	end := strings.IndexByte(rest, '\n')
	line := rest
	if end >= 0 {
		line = rest[:end]
	}
	switch arg {
	case intLine, longLine, floatLine, indexLine:
		if line == "" && end >= 0 || strings.Trim(line, "0123456789abcdefABCDEFxXoOlLnNiItTyY_+-.\x00"+pythonSpace) != "" && strings.IndexByte(line, 0) < 0 {
			return 0, false
		}
	case quotedLine:
		if line != "" && line[0] != '\'' && line[0] != '"' {
			return 0, false
		}
	case pairOfLines:
		if strings.IndexByte(line, 0) >= 0 {
			return 0, false
		}
		if end >= 0 {
			next := strings.IndexByte(rest[end+1:], '\n')
			if next >= 0 {
				return end + 1 + next + 1, true
			}
			if int64(len(rest)) == size && len(rest) > end+2 { // the end of the file ends the line
				return len(rest), true
			}
			end = -1
		}
	}
	if end < 0 && arg == pairOfLines && int64(len(rest)) == size && len(rest) > 1 {
		return len(rest), true // a module without a name is imported, too
	}
	if end < 0 {
		return -1, int64(len(rest)) < size
	}
	return end + 1, true
}

// plausibleNames reports whether two lines could be a module and a name. Python fails
// on the others before it imports anything: a NUL, or what is not UTF-8.
func plausibleNames(lines string) bool {
	return utf8.ValidString(lines) && strings.IndexByte(lines, 0) < 0
}

// Head is the bytes at off of data that LooksLikePickle and GuessAt are to see.
func Head(data segment.Data, off int64) []byte {
	head := make([]byte, max(0, min(headSize, data.Size()-off)))
	n, _ := data.ReadAt(head, off)
	return head[:n]
}
