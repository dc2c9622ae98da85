package audit

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// pieces are what a mutation puts into a pickle: opcodes, arguments at the edge of what
// readers take, and ways to hide a name.
var pieces = []string{
	"(", ".", "0", "1", "2", "N", ")", "]", "}", "t", "l", "d", "e", "u", "a", "s", "b", "o", "R", "\x81", "\x92", "\x93", "\x94", "\x85",
	"\x86", "\x87", "\x88", "\x8f", "\x90", "\x91", "Q", "\x97", "\x98", "I0x10\n", "I010\n", "I1_0\n", "I 7 \n", "I1\x00x\n", "L0b1L\n",
	"L-1_0L\n", "F1_0.5\n", "Fnan\n", "F-nan\n", "F 1e999 \n", "cos\ngetcwd\n", "(ios\ngetcwd\n", "cos\n\n", "cposix\nsystem\n",
	"\x8c\x02os\x8c\x06getcwd\x93", "Vos\nVgetcwd\n\x93", "V\\u006fs\nS'getcwd'\n\x93", "\x82\x05", "\x83\x01\x00", "\x8a\x00", "\x8a\x01\xff",
	"\x8b\x02\x00\x00\x00ab", "\x96\x02\x00\x00\x00\x00\x00\x00\x00ab", "K\x01a", "(K\x01e", "q\x00", "h\x00", "p1_0\n", "g10\n", "p0\n", "g0\n",
	"r\xff\x0f\x00\x00", "j\xff\x0f\x00\x00", "\x95\x04\x00\x00\x00\x00\x00\x00\x00", "\x95\xff\xff\x00\x00\x00\x00\x00\x00", "\x95\x00\x00\x00\x00\x00\x00\x00\x00",
	"\x80\x02", "\x80\x05", "\x80\x06", "Pid\n", "G\x3f\xf0\x00\x00\x00\x00\x00\x00", "M\x01\x02", "J\x01\x02\x03\x04", "U\x02os", "T\x02\x00\x00\x00os",
	"X\x02\x00\x00\x00os", "\x8d\x02\x00\x00\x00\x00\x00\x00\x00os", "B\x02\x00\x00\x00os", "S\"x\\x41\"\n", "S'a\n", "\x00", "\xff", "\n",
}

// mutate changes a pickle in a few places.
func mutate(rng *rand.Rand, seeds [][]byte) []byte {
	b := bytes.Clone(seeds[rng.IntN(len(seeds))])
	for range 1 + rng.IntN(5) {
		at := rng.IntN(len(b) + 1)
		to := min(len(b), at+rng.IntN(8))
		switch rng.IntN(7) {
		case 0, 1, 2:
			b = slices.Insert(b, at, []byte(pieces[rng.IntN(len(pieces))])...)
		case 3:
			b = slices.Delete(b, at, to)
		case 4:
			if at < len(b) {
				b[at] = byte(rng.Uint32())
			}
		case 5:
			if at < len(b) {
				b[at] ^= 1 << rng.IntN(8)
			}
		case 6: // a part of another
			other := seeds[rng.IntN(len(seeds))]
			from := rng.IntN(len(other) + 1)
			b = slices.Insert(b, at, other[from:min(len(other), from+rng.IntN(40))]...)
		}
	}
	return b
}

// imports asks Python what each pickle would import.
func imports(t *testing.T, pickles [][]byte) [][][2]string {
	t.Helper()
	var in bytes.Buffer
	for _, b := range pickles {
		in.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b))))
		in.Write(b)
	}
	cmd := exec.Command("python3", "testdata/imports.py")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 testdata/imports.py: %v", err)
	}
	var all [][][2]string
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var found [][2]string
		if err := json.Unmarshal(lines.Bytes(), &found); err != nil {
			t.Fatal(err)
		}
		all = append(all, found)
	}
	if len(all) != len(pickles) {
		t.Fatalf("%d answers for %d pickles", len(all), len(pickles))
	}
	return all
}

// TestMutations holds what Python's unpicklers would import of mutated pickles against the
// report: it names all of it, and a file that imports what is not allowed is never clean.
// MUTATIONS is how many.
func TestMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	count := 10_000
	if n, err := strconv.Atoi(os.Getenv("MUTATIONS")); err == nil {
		count = n
	}
	var seeds [][]byte
	for _, b := range evasions() {
		if len(b) < 4096 {
			seeds = append(seeds, b)
		}
	}
	paths, err := filepath.Glob("../torch/testdata/*.pkl")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if b, err := os.ReadFile(path); err == nil && len(b) < 4096 {
			seeds = append(seeds, b)
		}
	}
	slices.SortFunc(seeds, bytes.Compare)
	rng := rand.New(rand.NewPCG(20261125, uint64(count)))
	importing := 0
	const batch = 10_000
	for done := 0; done < count; done += batch {
		pickles := make([][]byte, min(batch, count-done))
		for i := range pickles {
			pickles[i] = mutate(rng, seeds)
		}
		for i, found := range imports(t, pickles) {
			if len(found) > 0 {
				importing++
			}
			checkImports(t, pickles[i], found)
			if t.Failed() {
				return
			}
		}
	}
	if importing < count/5 {
		t.Errorf("%d of %d pickles import anything: the mutations are too wild", importing, count)
	}
}

func checkImports(t *testing.T, b []byte, found [][2]string) {
	t.Helper()
	if len(found) == 0 {
		return
	}
	named := map[[2]string]bool{}
	r := newScanner(int64(len(b))).read(segment.Literal(b), 0, "test")
	for _, g := range r.stream.Globals {
		named[[2]string{g.Module, g.Name}] = true
	}
	bad := false
	for _, name := range found {
		if name[0] == "" || !utf8.ValidString(name[0]+name[1]) { // there is no such module
			continue
		}
		if !named[[2]string{escape(name[0], maxName), escape(name[1], maxName)}] {
			t.Errorf("%q: Python imports %q, the report has %+v", b, name, r.stream)
		}
		verdict, _ := Judge(name[0], name[1])
		bad = bad || verdict > Allowed && pickle.IsName(name[0]) && pickle.IsName(name[1])
	}
	report, err := scanBytes(b)
	if bad && err == nil && report.Verdict == Allowed && !isText(b[:min(len(b), headLen)]) {
		t.Errorf("%q: Python imports %q, and the file is %s", b, found, report.Text())
	}
}
