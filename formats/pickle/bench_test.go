package pickle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

// stateDict is the pickle that torch.save makes of a state dict of n matrices: its
// opcodes, its memo, its persistent ids.
func stateDict(n int) []byte {
	b := []byte("\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(")
	memo := uint32(2)
	put := func() {
		if memo < 256 {
			b = append(b, byte(BinPut), byte(memo))
		} else {
			b = binary.LittleEndian.AppendUint32(append(b, byte(LongBinPut)), memo)
		}
		memo++
	}
	get := func(i uint32) { b = binary.LittleEndian.AppendUint32(append(b, byte(LongBinGet)), i) }
	text := func(s string) {
		b = binary.LittleEndian.AppendUint32(append(b, byte(BinUnicode)), uint32(len(s)))
		b = append(b, s...)
		put()
	}
	var rebuild, storage, class, cpu uint32
	for i := range n {
		text(fmt.Sprintf("model.layers.%d.self_attn.q_proj.weight", i))
		if i == 0 {
			rebuild = memo
			b = append(b, "ctorch._utils\n_rebuild_tensor_v2\n"...)
			put()
		} else {
			get(rebuild)
		}
		b = append(b, "(("...)
		if i == 0 {
			storage = memo
			text("storage")
			class = memo
			b = append(b, "ctorch\nFloatStorage\n"...)
			put()
		} else {
			get(storage)
			get(class)
		}
		text(fmt.Sprint(i))
		if i == 0 {
			cpu = memo
			text("cpu")
		} else {
			get(cpu)
		}
		b = append(b, "J\x00\x00\x01\x00t"...)
		put()
		b = append(b, "QK\x00M\x00\x01M\x00\x01\x86"...)
		put()
		b = append(b, "M\x00\x01K\x01\x86"...)
		put()
		b = append(b, '\x89')
		get(0)
		b = append(b, ")R"...)
		put()
		b = append(b, 't')
		put()
		b = append(b, 'R')
		put()
	}
	return append(b, "u."...)
}

// BenchmarkScanner reads the opcodes of a state dict of 10 000 tensors, and reports how
// many a second.
func BenchmarkScanner(b *testing.B) {
	data := stateDict(10_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	ops := 0
	for b.Loop() {
		s := NewScanner(bytes.NewReader(data), 0, int64(len(data)))
		for op := (Op{}); op.Code != Stop; ops++ {
			if err := s.Next(&op); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(ops)/b.Elapsed().Seconds(), "opcodes/s")
}

// BenchmarkLoad runs the same pickle on the machine.
func BenchmarkLoad(b *testing.B) {
	data := stateDict(10_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		res, err := Load(bytes.NewReader(data), 0, int64(len(data)), Options{})
		if err != nil || len(res.PersIDs) != 10_000 {
			b.Fatalf("%v", err)
		}
	}
}
