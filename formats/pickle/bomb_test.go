package pickle

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"
)

// load runs a pickle and checks that it ended soon and took no memory to speak of.
func load(t *testing.T, name string, b []byte, memory uint64) (*Result, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	res, err := Load(bytes.NewReader(b), 0, int64(len(b)), Options{})
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(res)
	if took > 30*time.Second { // a second on an idle machine; tests share one, and the race detector is slow
		t.Errorf("%s: took %s", name, took)
	}
	if after.HeapAlloc > before.HeapAlloc+memory {
		t.Errorf("%s: %d MiB stay allocated, %d are allowed", name, (after.HeapAlloc-before.HeapAlloc)>>20, memory>>20)
	}
	return res, err
}

func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	le := binary.LittleEndian
	many := func(prefix string, op Code, n int, suffix string) []byte {
		return []byte(prefix + strings.Repeat(string([]byte{byte(op)}), n) + suffix)
	}
	laughs := []byte{byte(Proto), 2, byte(EmptyList), byte(BinPut), 0}
	for i := range byte(200) {
		laughs = append(laughs, byte(Mark))
		for range 100 {
			laughs = append(laughs, byte(BinGet), i)
		}
		laughs = append(laughs, byte(ListOp), byte(BinPut), i+1)
	}
	laughs = append(laughs, byte(Stop))
	for _, c := range []struct {
		name  string
		b     []byte
		ok    bool
		limit uint64 // MiB
	}{
		{"frame of 13 bytes", append([]byte{byte(Proto), 4, byte(Frame)}, le.AppendUint64(nil, 1<<40)...), false, 1},
		{"frame with a pickle after it", append(append([]byte{byte(Frame)}, le.AppendUint64(nil, 1<<60)...), 'N', '.'), false, 1},
		{"bytes of 2^60", append([]byte{byte(BinBytes8)}, le.AppendUint64(nil, 1<<60)...), false, 1},
		{"bytes of 2^63", append([]byte{byte(BinBytes8)}, le.AppendUint64(nil, 1<<63)...), false, 1},
		{"text of 4 GiB", append([]byte{byte(BinUnicode)}, 0xff, 0xff, 0xff, 0xff), false, 1},
		{"string of negative length", []byte{byte(BinString), 0xff, 0xff, 0xff, 0xff}, false, 1},
		{"long of 2 GiB", []byte{byte(Long4), 0xff, 0xff, 0xff, 0x7f, 1, 2}, false, 1},
		{"memo index 2^32-1", []byte{'N', byte(LongBinPut), 0xff, 0xff, 0xff, 0xff, '.'}, true, 1},
		{"number of a million digits", []byte("L" + strings.Repeat("9", 1_000_000) + "L\n."), true, 2},
		{"line without end", []byte("S'" + strings.Repeat("a", 3<<20)), false, 4},
		{"a million marks", many("", Mark, 1_000_000, "N."), true, 60},
		{"three million nested lists", append(append(bytes.Repeat([]byte{']'}, 3_000_000), bytes.Repeat([]byte{'a'}, 2_999_999)...), '.'), false, 400},
		{"three million nested tuples", many("N", Tuple1, 3_000_000, "."), true, 400},
		{"three million nested marks", many("", Mark, 3_000_000, strings.Repeat("t", 3_000_000)+"."), true, 400},
		{"ten million lists", many("(", EmptyList, 10_000_000, "l."), false, 450},
		{"ten million copies", many("N", Dup, 10_000_000, "."), false, 400},
		{"billion laughs", laughs, true, 4},
	} {
		_, err := load(t, c.name, c.b, c.limit<<20)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, b := range []string{
		"cos\nsystem\n(S'true'\ntR.", "(S'true'\nios\nsystem\n.", "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
		"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00cxos\nsystem\n(S'true'\ntR.", "\x80\x03C\x02ab\x8a\x01\x01\x87.",
	} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewScanner(bytes.NewReader(b), 0, int64(len(b)))
		var op Op
		last := int64(-1)
		for s.Next(&op) == nil {
			if op.Offset <= last || s.Offset() > int64(len(b)) {
				t.Fatalf("opcode at %d after %d of %d bytes", op.Offset, last, len(b))
			}
			last = op.Offset
			if op.Code == Stop {
				break
			}
		}
	})
}
