package pickle

import (
	"io"
)

// maxSkimmed bounds the globals that a skim lists.
const maxSkimmed = 10_000

// Skim reads on where the machine gave up, without its stack: Python may well go on
// there. It finds every global that an opcode names itself; of STACK_GLOBAL it takes
// the last two texts for the names, which a pickle can foil. end is where it stopped.
func Skim(r io.ReaderAt, off, limit int64) (found []*Global, end int64) {
	s := NewScanner(r, off, limit)
	known := map[[2]string]*Global{}
	add := func(module, name string, op *Op) {
		g := known[[2]string{module, name}]
		if g == nil {
			if len(found) == maxSkimmed {
				return
			}
			g = &Global{Module: module, Name: name, Offset: op.Offset, Code: op.Code, Called: true}
			known[[2]string{module, name}] = g
			found = append(found, g)
		}
		g.Count++
	}
	var op Op
	var last, before string
	for range maxOps {
		if s.Next(&op) != nil {
			break
		}
		switch op.Code {
		case Stop:
			return found, s.Offset()
		case GlobalOp, Inst:
			add(op.Text, op.Name, &op)
		case StackGlobal:
			add(before, last, &op)
		case Unicode, BinUnicode, ShortBinUnicode, BinUnicode8, String, BinString, ShortBinString:
			if op.Held {
				before, last = last, op.Text
			}
		}
	}
	return found, s.Offset()
}
