package adapter

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// random is a tensor of numbers near 0, in memory.
func random(rng *rand.Rand, key string, d checkpoint.DType, shape ...int64) *checkpoint.Tensor {
	n, _ := segment.Count(shape)
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(rng.NormFloat64()) / 8
	}
	b := make([]byte, n*int64(d.Bits()/8))
	ops.Narrow(b, f, d)
	return &checkpoint.Tensor{Key: key, DType: d, Shape: shape, Data: segment.Literal(b)}
}

// modelOf is a model of one file with these tensors.
func modelOf(tensors ...*checkpoint.Tensor) *checkpoint.Model {
	return checkpoint.Single("adapter", &checkpoint.Checkpoint{Separator: ".", Tensors: tensors})
}

// BenchmarkMerge reads a layer of 4096 × 4096 by requests of 1 MiB and of 128 KiB: bytes are
// those of the result, on one core.
func BenchmarkMerge(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range []checkpoint.DType{checkpoint.BF16, checkpoint.F16, checkpoint.F32} {
		base := []Base{{Key: "q.weight", Array: ops.Of(random(rng, "", d, 4096, 4096))}}
		for _, rank := range []int64{8, 16, 64} {
			if d != checkpoint.BF16 && rank != 16 {
				continue
			}
			for _, kind := range []string{"plain", "dora", "transposed"} {
				if kind != "plain" && (rank != 16 || d != checkpoint.BF16) {
					continue
				}
				tensors := []*checkpoint.Tensor{random(rng, "q.lora_A.weight", checkpoint.F32, rank, 4096), random(rng, "q.lora_B.weight", checkpoint.F32, 4096, rank)}
				config := fmt.Sprintf(`{"r": %d, "fan_in_fan_out": %t, "use_dora": %t}`, rank, kind == "transposed", kind == "dora")
				if kind == "dora" {
					tensors = append(tensors, random(rng, "q.lora_magnitude_vector", checkpoint.F32, 4096))
				}
				a, err := Open(modelOf(tensors...), []byte(config))
				if err != nil {
					b.Fatal(err)
				}
				merges, err := a.Match(base)
				if err != nil {
					b.Fatal(err)
				}
				merged, err := merges["q.weight"].Apply(base[0].Array, 1)
				if err != nil {
					b.Fatal(err)
				}
				for _, request := range []int{1 << 20, 128 << 10, 4 << 10} {
					if request != 1<<20 && (rank != 16 || d != checkpoint.BF16 || kind != "plain") {
						continue
					}
					b.Run(fmt.Sprintf("%s/r%d/%s/%dKiB", d, rank, kind, request>>10), func(b *testing.B) {
						p := make([]byte, request)
						b.SetBytes(int64(request))
						off := int64(0)
						for b.Loop() {
							if err := segment.ReadFull(merged.Data, p, off); err != nil {
								b.Fatal(err)
							}
							off = (off + int64(request)) % merged.Data.Size()
						}
					})
				}
			}
		}
	}
}
