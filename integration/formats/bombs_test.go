package formats

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	encoding "encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// bomb is a file below 100 MB that is made to take memory or time.
type bomb struct {
	name  string
	write func(w io.Writer)
	// lists says that it is a fair file, only odd: ls and mount take it. Others are refused.
	lists bool
	// scan is the exit code of scan.
	scan int
}

// repeat writes what is in parts, each as often as the number before it says.
func repeat(parts ...any) func(io.Writer) {
	return func(w io.Writer) {
		for i := 0; i < len(parts); i += 2 {
			n, unit := parts[i].(int), parts[i+1].(string)
			block := strings.Repeat(unit, min(n, 1+(64<<10)/max(1, len(unit))))
			for ; n > 0; n -= len(block) / max(1, len(unit)) {
				io.WriteString(w, block[:min(len(block), n*len(unit))])
			}
		}
	}
}

// inZip writes a zip with the pickle as data.pkl, beside a storage of four float32.
func inZip(method uint16, pickle func(io.Writer)) func(io.Writer) {
	return func(w io.Writer) {
		z := zip.NewWriter(w)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
		for _, record := range []struct {
			name  string
			write func(io.Writer)
		}{{"m/data.pkl", pickle}, {"m/data/0", repeat(16, "\x00")}, {"m/byteorder", repeat(1, "little")}} {
			out, err := z.CreateHeader(&zip.FileHeader{Name: record.name, Method: method})
			if err != nil {
				panic(err)
			}
			record.write(out)
		}
		if err := z.Close(); err != nil {
			panic(err)
		}
	}
}

const (
	million = 1_000_000
	// rebuild leaves the function, a storage and () in the memo as 0, 1 and 2.
	rebuild = "\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x000(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQq\x010)q\x020"
	// scalar is one more tensor of that storage.
	scalar = "h\x00(h\x01K\x00h\x02h\x02tR"
)

// laughs is lists that hold the list before them, width times each.
func laughs(levels, width int) string {
	var b strings.Builder
	b.WriteString("\x80\x02]q\x00")
	for i := range levels {
		fmt.Fprintf(&b, "0(%slq%c", strings.Repeat("h"+string([]byte{byte(i)}), width), 0)
		s := b.String()
		b.Reset()
		b.WriteString(s[:len(s)-1])
		b.WriteByte(byte(i + 1))
	}
	return b.String() + "."
}

// modules is modules that hold the module before them four times each.
func modules(levels int) string {
	one := func(submodules string) string {
		return "cm\nM\n)\x81}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}X\x08\x00\x00\x00_modules" + submodules + "ub"
	}
	out := "\x80\x02" + one("}") + "q\x000"
	for i := range levels {
		below := "}("
		for _, name := range "abcd" {
			below += "U\x01" + string(name) + "h" + string([]byte{byte(i)})
		}
		out += one(below+"u") + "q" + string([]byte{byte(i + 1)}) + "0"
	}
	return out + "h" + string([]byte{byte(levels)}) + "."
}

// longPaths is dicts in dicts under a key of 16 000 letters, with 20 000 tensors inside.
func longPaths(w io.Writer) {
	io.WriteString(w, rebuild+scalar+"q\x030")
	io.WriteString(w, "X"+string(encoding.LittleEndian.AppendUint32(nil, 16_000))+strings.Repeat("k", 16_000)+"q\x040}(")
	for i := range 20_000 {
		fmt.Fprintf(w, "U\x07%07dh\x03", i)
	}
	io.WriteString(w, "u")
	for range 90 {
		io.WriteString(w, "q\x050}h\x04h\x05s")
	}
	io.WriteString(w, ".")
}

// nested is a pickle in the bytes of a pickle, eight deep, each full of lists.
func nested(w io.Writer) {
	fill := strings.Repeat("]", 2*million)
	inner := "\x80\x03(" + fill + "l."
	for range 8 {
		inner = "\x80\x03(" + fill + "B" + string(encoding.LittleEndian.AppendUint32(nil, uint32(len(inner)))) + inner + "l."
	}
	io.WriteString(w, inner)
}

// directory is a zip whose directory lists one record many times.
func directory(count int) func(io.Writer) {
	return func(w io.Writer) {
		le := encoding.LittleEndian
		data := "\x80\x02}."
		local := le.AppendUint32([]byte("PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0x45d7be65)
		local = le.AppendUint32(le.AppendUint32(local, uint32(len(data))), uint32(len(data)))
		local = append(le.AppendUint16(le.AppendUint16(local, 10), 0), "m/data.pkl"+data...)
		w.Write(local)
		entry := append([]byte("PK\x01\x02\x14\x00"), local[4:30]...)
		entry = append(entry, make([]byte, 14)...)
		first := append(entry[:46:46], "m/data.pkl"...)
		w.Write(first)
		size := len(first)
		for i := range count {
			name := fmt.Sprintf("m/data/%07d", i)
			le.PutUint16(entry[28:], uint16(len(name)))
			w.Write(append(entry[:46:46], name...))
			size += 46 + len(name)
		}
		end := append([]byte("PK\x06\x06\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x00\x2d\x00"), make([]byte, 8)...)
		for _, v := range []int{count + 1, count + 1, size, len(local)} {
			end = le.AppendUint64(end, uint64(v))
		}
		end = append(end, "PK\x06\x07\x00\x00\x00\x00"...)
		end = append(le.AppendUint64(end, uint64(len(local)+size)), "\x01\x00\x00\x00PK\x05\x06\x00\x00\x00\x00"...)
		w.Write(append(end, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"...))
	}
}

var bombs = []bomb{
	{"frame of 13 bytes", repeat(1, "\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00N."), false, 2},
	{"length of 2^60", repeat(1, "\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x10"), false, 2},
	{"3 million lists deep", repeat(1, "\x80\x02", 3*million, "]", 3*million-1, "a", 1, "."), false, 2},
	{"3 million tuples deep", repeat(1, "\x80\x02N", 3*million, "\x85", 1, "."), false, 0},
	{"billion laughs", repeat(1, laughs(200, 100)), false, 2},
	{"billion laughs, narrow", repeat(1, laughs(80, 2)), true, 2},
	{"billion laughs of modules", repeat(1, modules(90)), false, 2},
	{"90 MB of MARK", repeat(1, "\x80\x02", 90*million, "("), false, 2},
	{"45 MB of EMPTY_DICT", repeat(1, "\x80\x02", 45*million, "}"), false, 2},
	{"45 MB of EMPTY_LIST", repeat(1, "\x80\x02(", 45*million, "]", 1, "l."), false, 2},
	{"45 MB of DUP", repeat(1, "\x80\x02N", 45*million, "2", 1, "."), false, 2},
	{"45 MB of MEMOIZE", repeat(1, "\x80\x04N", 45*million, "\x94", 1, "."), false, 2},
	{"45 MB of PERSID", repeat(1, "\x80\x02(", 15*million, "Pa\n", 1, "l."), false, 2},
	{"45 MB of REDUCE", repeat(1, "\x80\x02(ca\nb\nq\x00", 11*million, "h\x00)R", 1, "l."), false, 2},
	{"45 MB of GLOBAL", func(w io.Writer) {
		io.WriteString(w, "\x80\x02(")
		for i := range 45 * million / 12 {
			fmt.Fprintf(w, "ca%07d\nb\n", i)
		}
		io.WriteString(w, "l.")
	}, false, 2},
	{"keys of 16 KiB", repeat(1, "\x80\x02X\x80\x3e\x00\x00", 16_000, "k", 1, "q\x000}", 20*million, "h\x00Ns", 1, "."), false, 2},
	{"keys of 8000-byte integers", repeat(1, "\x80\x02\x8b\x40\x1f\x00\x00", 8000, "\x01", 1, "q\x000}", 20*million, "h\x00Ns", 1, "."), false, 2},
	{"pickles in pickles", nested, true, 0},
	{"one tensor 10 million times", inZip(zip.Store, repeat(1, rebuild+scalar+"q\x030(", 10*million, "h\x03", 1, "l.")), false, 2},
	{"a million tensors of one storage", inZip(zip.Store, repeat(1, rebuild+"(", million, scalar, 1, "l.")), false, 2},
	{"100 000 tensors of one storage", inZip(zip.Store, repeat(1, rebuild+"(", 100_000, scalar, 1, "l.")), true, 0},
	{"paths of megabytes", inZip(zip.Store, longPaths), false, 2},
	{"data.pkl inflates to 2 GiB of lists", inZip(zip.Deflate, repeat(1, "\x80\x02", 2<<30, "]")), false, 2},
	{"data.pkl inflates to 500 MB of lists", inZip(zip.Deflate, repeat(1, "\x80\x02", 500*million, "]")), false, 2},
	{"a zip directory of 300 000 entries for one record", directory(300_000), true, 2},
}

// TestBombs opens files that are made to exhaust the reader, and runs beside no other test:
// a process counts what its parent held when it was forked. Listing, scanning and mounting
// each stays below 512 MiB resident in its own process and ends soon; what is not a fair file
// ends in one line. Each file has enough in it that what a reader keeps of it, at 16 bytes for
// each value, is more. A mount opens a file as ls does: of those that are refused, one in four
// is tried.
func TestBombs(t *testing.T) {
	const limit = 512 << 20
	for i, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bomb.pt")
			file, err := os.Create(path)
			harness.Must(t, err)
			w := bufio.NewWriter(file)
			b.write(w)
			harness.Must(t, w.Flush())
			harness.Must(t, file.Close())
			if info, err := os.Stat(path); err != nil || info.Size() > 100<<20 {
				t.Fatalf("the file is no small one: %v, %v", info.Size(), err)
			}
			began := time.Now()
			for _, command := range []string{"ls", "scan"} {
				r, peak := harness.Measured(t, time.Minute, harness.Command(command, path))
				if peak > limit {
					t.Errorf("%s: %d MiB resident", command, peak>>20)
				}
				switch {
				case command == "scan" && r.Code != b.scan:
					t.Errorf("scan: exit code %d, want %d\n%.2000s%s", r.Code, b.scan, r.Stdout, r.Stderr)
				case command == "ls" && b.lists && r.Code != 0:
					t.Errorf("ls: exit code %d\n%s", r.Code, r.Stderr)
				case command == "ls" && !b.lists:
					if r.Code != 1 {
						t.Errorf("ls: exit code %d, want 1", r.Code)
					}
					harness.CheckOneLine(t, r, "bomb.pt")
				}
			}
			if b.lists {
				m := harness.MountForeground(t, path)
				if _, err := os.ReadDir(filepath.Join(m.Path, "tensors")); err != nil {
					t.Error(err)
				}
				if peak := harness.Memory(t, m.PID, "VmHWM"); peak > limit {
					t.Errorf("mount: %d MiB resident", peak>>20)
				}
			} else if i%4 == 0 {
				r, peak := harness.Measured(t, time.Minute, harness.Command("mount", "-f", path, harness.Mountpoint(t)))
				if r.Code != 1 {
					t.Errorf("mount: exit code %d, want 1\n%s", r.Code, r.Stderr)
				}
				if peak > limit {
					t.Errorf("mount: %d MiB resident", peak>>20)
				}
			}
			t.Logf("took %v", time.Since(began))
		})
	}
}
