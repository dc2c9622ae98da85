package formats

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
	"wfs/integration/harness"
)

// job is one call of Tensor.to() for cast.py.
type job struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Source string `json:"source"`
	Out    string `json:"out"`
	By     string `json:"by"`
}

// cast is what a job is compared with.
type cast struct {
	from, to checkpoint.DType
	overflow ops.Overflow
}

// TestCasts compares every cast with torch's: of all numbers of 8 and 16 bits, of float32 at
// and beside all ties of the narrower formats, and of float64 like them.
func TestCasts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var singles, doubles []byte
	for upper := range uint32(1 << 19) { // all but the lower 13 bits
		for _, lower := range []uint32{0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff} {
			singles = binary.LittleEndian.AppendUint32(singles, upper<<13|lower)
		}
		b := math.Float64bits(float64(math.Float32frombits(upper<<13 | rng.Uint32()&0x1fff)))
		for _, lower := range []uint64{0, 1<<28 - 1, 1 << 28, 1<<28 + 1} { // ties of float32, and beside them
			doubles = binary.LittleEndian.AppendUint64(doubles, b|lower)
		}
	}
	halves, quarters := make([]byte, 0, 2<<16), make([]byte, 256)
	for i := range 1 << 16 {
		halves = binary.LittleEndian.AppendUint16(halves, uint16(i))
	}
	for i := range quarters {
		quarters[i] = byte(i)
	}
	compareCasts(t, map[checkpoint.DType][]byte{
		checkpoint.F64: doubles, checkpoint.F32: singles, checkpoint.F16: halves, checkpoint.BF16: halves, checkpoint.F8E4M3: quarters,
		checkpoint.F8E5M2: quarters, checkpoint.F8E4M3FNUZ: quarters, checkpoint.F8E5M2FNUZ: quarters, checkpoint.F8E8M0: quarters,
	})
}

// TestEveryFloat casts all 2³² float32. It takes a quarter of an hour, and 1 GiB of disk.
func TestEveryFloat(t *testing.T) {
	if os.Getenv("EVERY_FLOAT") == "" {
		t.Skip("set EVERY_FLOAT=1 to cast all float32")
	}
	const step = 1 << 26
	src := make([]byte, 4*step)
	for first := uint64(0); first < 1<<32; first += step {
		for i := range uint64(step) {
			binary.LittleEndian.PutUint32(src[4*i:], uint32(first+i))
		}
		compareCasts(t, map[checkpoint.DType][]byte{checkpoint.F32: src})
	}
}

func compareCasts(t *testing.T, sources map[checkpoint.DType][]byte) {
	dir := t.TempDir()
	var jobs []job
	var casts []cast
	for from, src := range sources {
		source := filepath.Join(dir, from.String())
		harness.Must(t, os.WriteFile(source, src, 0o600))
		for _, to := range []checkpoint.DType{checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.F8E4M3, checkpoint.F8E5M2} {
			if from != to {
				casts = append(casts, cast{from, to, ops.Saturate})
				jobs = append(jobs, job{from.String(), to.String(), source, filepath.Join(dir, from.String()+"-"+to.String()), "torch"})
			}
		}
	}
	for _, from := range []checkpoint.DType{checkpoint.F32, checkpoint.F16, checkpoint.BF16} {
		if sources[from] != nil {
			casts = append(casts, cast{from, checkpoint.F8E4M3, ops.NaN})
			jobs = append(jobs, job{from.String(), "F8_E4M3", filepath.Join(dir, from.String()), filepath.Join(dir, from.String()+"-NaN"), "ml_dtypes"})
		}
	}
	harness.Python(t, harness.Torch, "cast.py", jobs, nil)
	for i, c := range casts {
		from, to := c.from, c.to
		want, err := os.ReadFile(jobs[i].Out)
		harness.Must(t, err)
		harness.Must(t, os.Remove(jobs[i].Out))
		data, err := c.overflow.Cast(segment.Literal(sources[from]), from, to)
		harness.Must(t, err)
		got := make([]byte, data.Size())
		harness.Must(t, segment.ReadFull(data, got, 0))
		if problem := differ(got, want, to); problem != "" {
			t.Errorf("%s to %s: %s", from, to, problem)
		}
	}
	harness.Must(t, os.RemoveAll(dir))
}

// differ says where two runs of numbers are not the same, with all NaNs alike.
func differ(got, want []byte, d checkpoint.DType) string {
	if len(got) != len(want) || len(got) == 0 {
		return fmt.Sprintf("%d bytes, torch has %d", len(got), len(want))
	}
	width := d.Bits() / 8
	number := func(b []byte) (v, infinity uint32) { // without its sign, and what only a NaN is above
		switch d {
		case checkpoint.F32:
			return binary.LittleEndian.Uint32(b), 0x7f800000
		case checkpoint.F16:
			return uint32(binary.LittleEndian.Uint16(b)), 0x7c00
		case checkpoint.BF16:
			return uint32(binary.LittleEndian.Uint16(b)), 0x7f80
		case checkpoint.F8E4M3:
			return uint32(b[0]), 0x7e
		}
		return uint32(b[0]), 0x7c
	}
	for i := 0; i < len(got); i += width {
		a, infinity := number(got[i:])
		b, _ := number(want[i:])
		mask := uint32(1)<<(8*width-1) - 1
		if a != b && (a&mask <= infinity || b&mask <= infinity) {
			return fmt.Sprintf("number %d is %#x, torch has %#x", i/width, a, b)
		}
	}
	return ""
}
