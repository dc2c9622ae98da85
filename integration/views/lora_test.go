package views

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats"
	"wfs/formats/adapter"
	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
	"wfs/integration/harness"
)

// adapterCase is what write_adapters.py tells of one.
type adapterCase struct {
	Name    string  `json:"name"`
	Base    string  `json:"base"`
	Adapter string  `json:"adapter"`
	Config  string  `json:"config"` // "" for a file by itself
	Merged  string  `json:"merged"`
	ULPs    int64   `json:"ulps"`  // how far a number may be, or
	Bound   float64 `json:"bound"` // how far, absolutely
	Weight  float64 `json:"weight"`
	Changed int     `json:"changed"`
}

// TestAdapters compares every merged tensor with PEFT's merge_and_unload: bit for bit, save
// where the order of its sums is not known.
func TestAdapters(t *testing.T) {
	var cases []adapterCase
	harness.Python(t, harness.Torch, "write_adapters.py", nil, &cases, t.TempDir())
	if len(cases) < 40 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { compareAdapter(t, c) })
	}
	for _, c := range cases {
		if strings.HasPrefix(c.Name, "saved-bf16") || strings.HasPrefix(c.Name, "experts-") {
			t.Run("mounted/"+c.Name, func(t *testing.T) { mountAdapter(t, c) })
		}
	}
}

// mountAdapter compares what a mount with --lora has in its view.
func mountAdapter(t *testing.T, c adapterCase) {
	mount := harness.Mount(t, c.Base, "--lora", filepath.Dir(c.Adapter))
	want := map[string]*checkpoint.Tensor{}
	for _, s := range openModel(t, c.Merged).Shards() {
		for _, tensor := range s.Tensors {
			want[tensor.Key] = tensor
		}
	}
	for _, s := range openModel(t, filepath.Join(mount, "model.safetensors")).Shards() {
		for _, tensor := range s.Tensors {
			if worse := differences(tensor.DType, readRandomly(t, tensor.Data), readRandomly(t, want[tensor.Key].Data), c.ULPs, c.Bound); worse != "" {
				t.Errorf("%s: %s", tensor.Key, worse)
			}
		}
	}
}

// TestPipelineAdapters compares LoRAs of diffusion pipelines, with the names of sd-scripts and
// of diffusers, with what those make of them.
func TestPipelineAdapters(t *testing.T) {
	var cases []adapterCase
	harness.Python(t, harness.Torch, "write_pipeline_adapters.py", nil, &cases, t.TempDir())
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { compareAdapter(t, c) })
	}
}

func openModel(t *testing.T, path string) *checkpoint.Model {
	t.Helper()
	m, err := formats.Open(path)
	harness.Must(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func compareAdapter(t *testing.T, c adapterCase) {
	var config []byte
	if c.Config != "" {
		var err error
		config, err = os.ReadFile(c.Config)
		harness.Must(t, err)
	}
	a, err := adapter.Open(openModel(t, c.Adapter), config)
	harness.Must(t, err)
	var base []adapter.Base
	for set, s := range openModel(t, c.Base).Shards() {
		for _, tensor := range s.Tensors {
			base = append(base, adapter.Base{Key: tensor.Key, Set: set.Place(), Array: ops.Of(tensor)})
		}
	}
	merges, err := a.Match(base)
	harness.Must(t, err)
	want := map[string]*checkpoint.Tensor{}
	for set, s := range openModel(t, c.Merged).Shards() {
		for _, tensor := range s.Tensors {
			want[set.Qualify(tensor.Key)] = tensor
		}
	}
	if len(want) != len(base) {
		t.Fatalf("PEFT has %d tensors, and the base %d", len(want), len(base))
	}
	changed := 0
	for _, b := range base {
		array := b.Array
		if merge := merges[b.Name()]; merge != nil {
			changed++
			array, err = merge.Apply(array, c.Weight)
			harness.Must(t, err)
		}
		got, expected := readRandomly(t, array.Data), readRandomly(t, want[b.Name()].Data)
		if worse := differences(array.DType, got, expected, c.ULPs, c.Bound); worse != "" {
			t.Errorf("%s: %s", b.Name(), worse)
		}
	}
	if changed < c.Changed {
		t.Errorf("%d tensors are merged, and PEFT changed %d", changed, c.Changed)
	}
}

// readRandomly reads data by requests of all sizes, in no order, and some of it twice.
func readRandomly(t *testing.T, d segment.Data) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]byte, d.Size())
	harness.Must(t, segment.ReadFull(d, all, 0))
	for range 12 {
		off := rng.Int64N(d.Size())
		part := make([]byte, min(d.Size()-off, 1+rng.Int64N(5000)))
		harness.Must(t, segment.ReadFull(d, part, off))
		if string(part) != string(all[off:][:len(part)]) {
			t.Fatalf("%d bytes from %d on are others when they are read alone", len(part), off)
		}
	}
	return all
}

// differences says how many numbers differ by more than allowed, or "".
func differences(d checkpoint.DType, got, want []byte, ulps int64, bound float64) string {
	if ulps == 0 && string(got) == string(want) {
		return ""
	}
	width := d.Bits() / 8
	n := len(want) / width
	x, y := make([]float32, n), make([]float32, n)
	if len(got) != len(want) || !ops.Widens(d) {
		return "others"
	}
	ops.Widen(x, got, d)
	ops.Widen(y, want, d)
	bad, first := 0, -1
	for i := range x {
		apart := ordered(got[i*width:], width) - ordered(want[i*width:], width)
		if max(apart, -apart) > ulps && math.Abs(float64(x[i])-float64(y[i])) > bound {
			if bad == 0 {
				first = i
			}
			bad++
		}
	}
	if bad == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d numbers differ; the first, %d, is %g and should be %g", bad, n, first, x[first], y[first])
}

// ordered is the bits of a number so that those of neighbours are neighbours.
func ordered(b []byte, width int) int64 {
	v, sign := int64(binary.LittleEndian.Uint16(b)), int64(1)<<15
	if width == 4 {
		v, sign = int64(binary.LittleEndian.Uint32(b)), 1<<31
	}
	if v&sign != 0 {
		return -(v &^ sign)
	}
	return v
}
