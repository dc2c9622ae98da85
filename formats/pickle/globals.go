package pickle

import (
	"io"
)

// maxScanned bounds the globals that ScanGlobals lists.
const maxScanned = 10_000

// ScanGlobals reads on where the machine gave up, without its stack: Python may well go on
// there. It finds every global that an opcode names itself; of STACK_GLOBAL it takes
// the last two texts for the names, which a pickle can foil. It reads maxOps opcodes at
// most, and returns where it stopped and how many it read.
func ScanGlobals(r io.ReaderAt, off, limit, maxOps int64) (found []*Global, end, ops int64) {
	s := NewScanner(r, off, limit)
	known := map[[2]string]*Global{}
	add := func(module, name string, op *Op) {
		g := known[[2]string{module, name}]
		if g == nil {
			if len(found) == maxScanned {
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
	for ; ops < maxOps; ops++ {
		if s.Next(&op) != nil {
			break
		}
		switch op.Code {
		case Stop:
			return found, s.Offset(), ops
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
	return found, s.Offset(), ops
}
