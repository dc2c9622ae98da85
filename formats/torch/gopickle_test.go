//go:build unix

package torch

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nlpodyssey/gopickle/pytorch"
	"github.com/nlpodyssey/gopickle/types"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// gopickle's package pytorch reads the files of torch too, with code that shares nothing
// with ours. It is a second opinion on keys, dtypes, shapes and values, and no more: it
// holds every tensor in memory, and a file of 13 bytes makes it allocate a terabyte, which
// ends the process in a way that recover cannot catch. So it runs in a process of its own,
// whose memory is limited. Where the two differ, torch is asked; so far it has agreed with
// us each time (wrongHalf).

// unreadable are the seed files that gopickle cannot read, and what it says of them. One
// that it can read after an update belongs in the comparison, and is an error here.
var unreadable = map[string]string{
	// A uint16 tensor: a dtype without a storage class of its own.
	"state_dict.pt": "class not found: torch._utils _rebuild_tensor_v3",
	"protocol5.pt":  "class not found: torch._utils _rebuild_tensor_v3",
	"legacy.pt":     "class not found: torch._utils _rebuild_tensor_v3",
	// What is neither a tensor nor a plain value.
	"checkpoint.pt":   "class not found: argparse Namespace",
	"whole.pt":        "class not found: torch.nn.modules.container Sequential",
	"whole_legacy.pt": "class not found: torch.nn.modules.container Sequential",
	// Sparse and quantized tensors, and parameters.
	"parts.pt":   "class not found: torch._utils _rebuild_sparse_tensor",
	"sharded.pt": "class not found: torch._tensor _rebuild_from_type_v2",
	"unusual.pt": "class not found: write_seeds Own",
	// Containers that it does not read.
	"script.pt": "TorchScript is not supported",
	"tar.pt":    "panic: legacy load from tar not implemented",
	// Pickles that torch.save did not write; their first value is a magic number to it.
	"plain2.pkl": "REDUCE requires a Callable object",
	"plain4.pkl": "REDUCE requires a Callable object",
	// A FRAME of a terabyte, in 13 bytes.
	"frame.pt": "it ended the process",
}

// opinion is what one reader has of a file.
type opinion struct {
	File    string
	Error   string
	Tensors []shown
}

// shown is a tensor whose elements are written out in C order.
type shown struct {
	Key, DType string
	Shape      []int64
	Bytes      string
}

// TestGopickleReads compares what we read of torch's files with what gopickle reads: the
// seeds of this package, files of every dtype that it knows, and its own fixtures.
func TestGopickleReads(t *testing.T) {
	paths := gopickleFiles(t)
	bomb := filepath.Join(t.TempDir(), "frame.pt")
	frame := append([]byte{0x80, 4, 0x95}, binary.LittleEndian.AppendUint64(nil, 1<<40)...)
	if err := os.WriteFile(bomb, append(frame, 'N', '.'), 0o644); err != nil {
		t.Fatal(err)
	}
	paths = append(paths, bomb)
	opinions := askGopickle(t, paths)
	compared := 0
	for i, path := range paths {
		name, theirs := filepath.Base(path), opinions[i]
		if why, listed := unreadable[name]; listed && filepath.Dir(path) != filepath.Join("testdata", "gopickle") {
			if theirs.Error == "" || !strings.Contains(theirs.Error, why) {
				t.Errorf("%s: gopickle says %q of a file that is listed as %q", name, theirs.Error, why)
			}
			continue
		}
		if theirs.Error != "" {
			t.Errorf("%s: gopickle cannot read it (%s), and it is not listed in unreadable", name, theirs.Error)
			continue
		}
		ours, err := ourOpinion(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compared++
		if len(ours) == 0 || len(ours) != len(theirs.Tensors) {
			t.Errorf("%s: we read %d tensors, gopickle %d", name, len(ours), len(theirs.Tensors))
			continue
		}
		for i, one := range ours {
			if !one.equal(theirs.Tensors[i]) {
				t.Errorf("%s:\n we read  %v\n gopickle %v", name, one, theirs.Tensors[i])
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d files were compared", compared)
	}
}

// equal compares a tensor that we read with gopickle's. Halves that gopickle gets wrong
// are not compared.
func (ours shown) equal(theirs shown) bool {
	if ours.DType == checkpoint.F16.String() {
		theirs.Bytes = overlay(ours.Bytes, theirs.Bytes)
	}
	return ours.Key == theirs.Key && ours.DType == theirs.DType && slices.Equal(ours.Shape, theirs.Shape) && ours.Bytes == theirs.Bytes
}

// overlay is gopickle's halves with ours where its own are wrong.
func overlay(ours, theirs string) string {
	a, err := hex.DecodeString(ours)
	b, err2 := hex.DecodeString(theirs)
	if err != nil || err2 != nil || len(a) != len(b) {
		return theirs
	}
	for i := 0; i < len(a); i += 2 {
		if bits := binary.LittleEndian.Uint16(a[i:]); wrongHalf(bits) {
			copy(b[i:], a[i:i+2])
		}
	}
	return hex.EncodeToString(b)
}

// wrongHalf are the halves that gopickle's tables get wrong (pytorch/float_conversion.go):
// initOffsetTable leaves out positive infinity and NaN and gives -0 the row of a normal
// number, and convertMantissa normalizes no subnormal number.
func wrongHalf(bits uint16) bool {
	exponent, mantissa := bits>>10&31, bits&1023
	return bits>>10 == 31 || bits == 1<<15 || exponent == 0 && mantissa != 0
}

// TestGopickleHalves holds gopickle's halves against their definition: it is as wrong as
// wrongHalf says, and no more.
func TestGopickleHalves(t *testing.T) {
	for bits := range 1 << 16 {
		want, got := float16Value(uint16(bits)), math.Float32frombits(pytorch.FloatBits16to32(uint16(bits)))
		same := math.Float32bits(want) == math.Float32bits(got) || want != want && got != got
		if same == wrongHalf(uint16(bits)) {
			t.Errorf("%#04x is %v, gopickle says %v", bits, want, got)
		}
	}
}

// gopickleFiles are the files of the comparison.
func gopickleFiles(t *testing.T) []string {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/nlpodyssey/gopickle").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, pattern := range []string{"testdata/*.p*", "testdata/gopickle/*.pt", filepath.Join(strings.TrimSpace(string(module)), "pytorch", "testdata", "*.pt")} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 10 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		all = append(all, paths...)
	}
	return all
}

// ourOpinion reads a file with this package.
func ourOpinion(path string) ([]shown, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := openBytes(b)
	if err != nil {
		return nil, err
	}
	var all []shown
	for _, one := range c.Tensors {
		p := make([]byte, one.Data.Size())
		if err := segment.ReadFull(one.Data, p, 0); err != nil {
			return nil, err
		}
		all = append(all, shown{one.Key, one.DType.String(), one.Shape, hex.EncodeToString(p)})
	}
	return all, nil
}

// Names of what a process of the test binary gets told, and of the limit of its memory.
const (
	gopickleEnv    = "WFS_TEST_GOPICKLE"
	gopickleMemory = 8 << 30 // address space, of which Go reserves more than it uses
)

// askGopickle runs gopickle over files in a process of its own, and in another one from the
// next file on where that was ended.
func askGopickle(t *testing.T, paths []string) []opinion {
	t.Helper()
	var all []opinion
	for len(all) < len(paths) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestGopickleProcess$", "-test.count=1")
		cmd.Env = append(os.Environ(), gopickleEnv+"=1")
		cmd.Stdin = strings.NewReader(strings.Join(paths[len(all):], "\n"))
		out, err := cmd.Output()
		for lines := bufio.NewReader(bytes.NewReader(out)); ; {
			line, readErr := lines.ReadBytes('\n')
			if readErr != nil {
				break
			}
			var o opinion
			if json.Unmarshal(line, &o) == nil && o.File != "" {
				all = append(all, o)
			}
		}
		if err != nil && len(all) < len(paths) {
			all = append(all, opinion{File: paths[len(all)], Error: "it ended the process"})
		} else if len(all) < len(paths) {
			t.Fatalf("%d opinions on %d files: %s", len(all), len(paths), out)
		}
	}
	return all
}

// TestGopickleProcess is the other process, and nothing in this one.
func TestGopickleProcess(t *testing.T) {
	if os.Getenv(gopickleEnv) == "" {
		return
	}
	var pages int64 // the race detector has terabytes of addresses from the beginning
	if statm, err := os.ReadFile("/proc/self/statm"); err != nil {
		t.Fatal(err)
	} else if _, err := fmt.Sscan(string(statm), &pages); err != nil {
		t.Fatal(err)
	}
	if limit := (syscall.Rlimit{Cur: gopickleMemory, Max: gopickleMemory}); pages*int64(os.Getpagesize()) < gopickleMemory {
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			t.Fatal(err)
		}
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		o := opinion{File: in.Text()}
		tensors, err := gopickleOpinion(o.File)
		if o.Tensors = tensors; err != nil {
			o.Error = err.Error()
		}
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.Write(append(line, '\n'))
	}
}

func gopickleOpinion(path string) (all []shown, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	value, err := pytorch.Load(path)
	if err != nil {
		return nil, err
	}
	var walk func(key string, v any) error
	join := func(key, part string) string { return strings.TrimPrefix(key+"."+part, ".") }
	walk = func(key string, v any) error {
		switch v := v.(type) {
		case *types.Dict:
			for _, k := range v.Keys() {
				item, _ := v.Get(k)
				if err := walk(join(key, fmt.Sprint(k)), item); err != nil {
					return err
				}
			}
		case *types.OrderedDict:
			for e := v.List.Front(); e != nil; e = e.Next() {
				entry := e.Value.(*types.OrderedDictEntry)
				if err := walk(join(key, fmt.Sprint(entry.Key)), entry.Value); err != nil {
					return err
				}
			}
		case *types.List:
			for i, item := range *v {
				if err := walk(join(key, strconv.Itoa(i)), item); err != nil {
					return err
				}
			}
		case *types.Tuple:
			for i, item := range *v {
				if err := walk(join(key, strconv.Itoa(i)), item); err != nil {
					return err
				}
			}
		case *pytorch.Tensor:
			if key == "" {
				key = "tensor"
			}
			one, err := showTensor(key, v)
			all = append(all, one)
			return err
		case nil, bool, int, float64, string:
		default:
			return fmt.Errorf("%s is a %T", key, v)
		}
		return nil
	}
	return all, walk("", value)
}

// showTensor writes out the elements of a tensor of gopickle, which it has as numbers of Go.
func showTensor(key string, v *pytorch.Tensor) (shown, error) {
	out := shown{Key: key}
	var element func(b []byte, i int) []byte
	le := binary.LittleEndian
	switch s := v.Source.(type) {
	case *pytorch.FloatStorage:
		out.DType = checkpoint.F32.String()
		element = func(b []byte, i int) []byte { return le.AppendUint32(b, math.Float32bits(s.Data[i])) }
	case *pytorch.HalfStorage:
		out.DType = checkpoint.F16.String()
		element = func(b []byte, i int) []byte { return le.AppendUint16(b, halfBits(s.Data[i])) }
	case *pytorch.BFloat16Storage:
		out.DType = checkpoint.BF16.String()
		element = func(b []byte, i int) []byte { return le.AppendUint16(b, uint16(math.Float32bits(s.Data[i])>>16)) }
	case *pytorch.DoubleStorage:
		out.DType = checkpoint.F64.String()
		element = func(b []byte, i int) []byte { return le.AppendUint64(b, math.Float64bits(s.Data[i])) }
	case *pytorch.CharStorage:
		out.DType = checkpoint.I8.String()
		element = func(b []byte, i int) []byte { return append(b, byte(s.Data[i])) }
	case *pytorch.ShortStorage:
		out.DType = checkpoint.I16.String()
		element = func(b []byte, i int) []byte { return le.AppendUint16(b, uint16(s.Data[i])) }
	case *pytorch.IntStorage:
		out.DType = checkpoint.I32.String()
		element = func(b []byte, i int) []byte { return le.AppendUint32(b, uint32(s.Data[i])) }
	case *pytorch.LongStorage:
		out.DType = checkpoint.I64.String()
		element = func(b []byte, i int) []byte { return le.AppendUint64(b, uint64(s.Data[i])) }
	case *pytorch.ByteStorage:
		out.DType = checkpoint.U8.String()
		element = func(b []byte, i int) []byte { return append(b, s.Data[i]) }
	case *pytorch.BoolStorage:
		out.DType = checkpoint.BOOL.String()
		element = func(b []byte, i int) []byte {
			if s.Data[i] {
				return append(b, 1)
			}
			return append(b, 0)
		}
	default:
		return out, errors.New("a storage that this test does not know")
	}
	for _, n := range v.Size {
		out.Shape = append(out.Shape, int64(n))
	}
	var b []byte
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(v.Size) {
			b = element(b, at)
			return
		}
		for i := range v.Size[axis] {
			walk(axis+1, at+i*v.Stride[axis])
		}
	}
	walk(0, v.StorageOffset)
	out.Bytes = hex.EncodeToString(b)
	return out, nil
}

// halfBits is the float16 with exactly the value f, or a NaN.
func halfBits(f float32) uint16 {
	for bits := range 1 << 16 {
		if math.Float32bits(float16Value(uint16(bits))) == math.Float32bits(f) {
			return uint16(bits)
		}
	}
	return 0x7fff
}
