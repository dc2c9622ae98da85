package pickle

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"os/exec"
	"sort"
	"strings"
	"testing"

	gopickle "github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// writeValues prints the pickles of random plain values in hexadecimal, a line each.
const writeValues = `
import pickle, random
random.seed(7)
def value(depth):
    k = random.randrange(14 if depth < 4 else 9)
    if k == 0: return None
    if k == 1: return random.random() < .5
    if k == 2: return random.randrange(-300, 300)
    if k == 3: return random.randrange(-2**70, 2**70)
    if k == 4: return random.randrange(-2**33, 2**33)
    if k == 5: return random.uniform(-1e9, 1e9)
    if k == 6: return ''.join(random.choice('ab\n\\\'"é重😀') for _ in range(random.randrange(9)))
    if k == 7: return 'x' * random.randrange(300)
    if k == 8: return random.choice(['', 0, 255, 256, 65536, -1, 2**31, -2**31])
    if k == 9: return [value(depth + 1) for _ in range(random.randrange(5))]
    if k == 10: return tuple(value(depth + 1) for _ in range(random.randrange(5)))
    if k == 11: return {str(i): value(depth + 1) for i in range(random.randrange(12))}
    shared = value(depth + 1)
    return [shared, shared, (shared,)]
for i in range(1500):
    print(pickle.dumps(value(0), protocol=i % 6).hex())
`

// TestGopickleAgrees compares values with gopickle's machine, the oracle for what
// plain values mean.
func TestGopickleAgrees(t *testing.T) {
	out, err := exec.Command("python3", "-c", writeValues).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != 1500 {
		t.Fatalf("%d pickles", len(lines))
	}
	for _, line := range lines {
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Load(bytes.NewReader(b), 0, int64(len(b)), Options{})
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if res.End != int64(len(b)) || len(res.Anomalies) > 0 {
			t.Errorf("%q: ends at %d, anomalies %q", b, res.End, res.Anomalies)
		}
		u := gopickle.NewUnpickler(bytes.NewReader(b))
		want, err := u.Load()
		if err != nil {
			if b[0] == byte(Proto) {
				t.Errorf("%q: gopickle: %v", b, err)
			}
			continue
		}
		// gopickle decodes neither the escapes nor the latin-1 of protocol 0's text.
		if b[0] != byte(Proto) && bytes.ContainsFunc(b, func(r rune) bool { return r == '\\' || r >= 0x80 }) {
			continue
		}
		if got, expect := canonical(res.Value), canonical(want); got != expect {
			t.Errorf("%q:\n got %s\nwant %s", b, got, expect)
		}
	}
}

// canonical renders values of both machines alike.
func canonical(v any) string {
	list := func(open string, n int, at func(int) any, end string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = canonical(at(i))
		}
		return open + strings.Join(parts, ",") + end
	}
	switch v := v.(type) {
	case None, nil:
		return "None"
	case int:
		return fmt.Sprint(v)
	case *big.Int:
		return v.String()
	case string:
		return fmt.Sprintf("%q", v)
	case float64:
		return fmt.Sprintf("%x", v)
	case *List:
		return list("[", len(v.Items), func(i int) any { return v.Items[i] }, "]")
	case *types.List:
		return list("[", v.Len(), v.Get, "]")
	case *Tuple:
		return list("(", len(v.Items), func(i int) any { return v.Items[i] }, ")")
	case *types.Tuple:
		return list("(", v.Len(), v.Get, ")")
	case *Dict:
		var parts []string
		for _, p := range v.List() {
			parts = append(parts, canonical(p.Key)+":"+canonical(p.Value))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case *types.Dict:
		var parts []string
		for _, k := range v.Keys() {
			value, _ := v.Get(k)
			parts = append(parts, canonical(k)+":"+canonical(value))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprint(v)
}

// TestGopicklePanics shows why gopickle is the oracle of the tests and not the reader: it
// panics where Load returns a value or an error. The FRAME of 2^40 is not among them: that
// ends the process.
func TestGopicklePanics(t *testing.T) {
	for name, c := range map[string]struct {
		pickle string
		ok     bool // of Python and of Load
	}{
		"byte 0xff":            {"\xff", false},
		"LONG1 of no bytes":    {"\x80\x02\x8a\x00.", true},
		"DICT of one item":     {"\x80\x02(Nd.", false},
		"SETITEMS of one item": {"\x80\x02}(Nu.", false},
		"BINBYTES8 of 2^62":    {"\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x40.", false},
		"OrderedDict of bytes": {"\x80\x03ccollections\nOrderedDict\n)RC\x01aNs.", true},
	} {
		if _, err := Load(strings.NewReader(c.pickle), 0, int64(len(c.pickle)), Options{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		panics := func() (did bool) {
			defer func() { did = recover() != nil }()
			u := gopickle.NewUnpickler(strings.NewReader(c.pickle))
			u.Load()
			return false
		}
		if !panics() {
			t.Errorf("%s: gopickle does not panic any more: say so in doc.go", name)
		}
	}
}

// TestGopickleFindClass shows that gopickle does not ask FindClass for what is wired into
// it: a report that goes by it would lack these globals.
func TestGopickleFindClass(t *testing.T) {
	for _, global := range []string{"collections\nOrderedDict\n", "copy_reg\n_reconstructor\n", "__builtin__\nobject\n"} {
		u := gopickle.NewUnpickler(strings.NewReader("\x80\x02c" + global + "."))
		asked := false
		u.FindClass = func(module, name string) (any, error) {
			asked = true
			return types.NewList(), nil
		}
		if _, err := u.Load(); err != nil || asked {
			t.Errorf("%q: %v, FindClass is asked: %v", global, err, asked)
		}
	}
}
