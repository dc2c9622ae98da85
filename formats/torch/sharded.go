package torch

import (
	"errors"
	"fmt"
	"strings"

	"wfs/formats/pickle"
)

// isSharded reports whether the class is ShardedTensor, which state dicts of FSDP have
// where they are saved by each rank (torch/distributed/_shard/sharded_tensor/api.py).
func isSharded(class global) bool {
	return class.name == "ShardedTensor" && strings.HasPrefix(class.module, "torch.distributed.")
}

// sharded is the state (local shards, metadata, process group, sharding, references) of a
// ShardedTensor. A shard has a tensor and, in its metadata, where that lies in the whole. The
// only shard of a tensor that fills it is the tensor; others are its parts.
func (r *resolver) sharded(state pickle.Value, level int) (tensorValue, error) {
	fields, _ := items(state)
	if len(fields) < 2 {
		return tensorValue{}, errors.New("sharded tensor whose shards wfs cannot find")
	}
	shards, ok := items(fields[0])
	size, okSize := integers(attribute(fields[1], "size"))
	if !ok || !okSize {
		return tensorValue{}, errors.New("sharded tensor whose shards wfs cannot find")
	}
	if len(shards) == 0 {
		return tensorValue{omit: fmt.Sprintf("sharded tensor of shape %v: this rank had no shard of it", size)}, nil
	}
	t := tensorValue{whole: size}
	for i, shard := range shards {
		local, ok := r.unwrap(attribute(shard, "tensor"), level+1)
		if !ok {
			return tensorValue{}, fmt.Errorf("sharded tensor whose shard %d wfs cannot find", i)
		}
		local.whole = size
		if len(shards) == 1 && !local.partial() {
			return local, nil
		}
		local.whole = nil // said once, of all
		name := fmt.Sprintf("local_shards.%d.", i)
		t.parts = append(t.parts, part{name + "tensor", local})
		metadata := attribute(shard, "metadata")
		for _, field := range []string{"shard_offsets", "shard_sizes"} {
			if n, ok := integers(attribute(metadata, field)); ok {
				t.parts = append(t.parts, part{name + field, intArray([]int64{int64(len(n))}, n...)})
			}
		}
	}
	t.parts = append(t.parts, part{"size", intArray([]int64{int64(len(size))}, size...)})
	return t, nil
}

// attribute is one of an object's attributes, nil where it has none of that name.
func attribute(v pickle.Value, name string) pickle.Value {
	obj, ok := whole(v).(*pickle.Object)
	if !ok {
		return nil
	}
	for _, p := range attributes(obj.State) {
		if key, _ := text(p.Key); key == name {
			return p.Value
		}
	}
	return nil
}
