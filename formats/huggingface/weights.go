package huggingface

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// stem is a family of weight names: transformers/utils/__init__.py (WEIGHTS_NAME,
// SAFE_WEIGHTS_NAME), diffusers/utils/constants.py and loaders/lora_base.py,
// peft/utils/constants.py.
type stem struct{ safe, other string }

var stems = []stem{
	{"model.safetensors", "pytorch_model.bin"},
	{"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"},
	{"adapter_model.safetensors", "adapter_model.bin"},
	{"pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin"},
}

// kerasName is the Keras weights of a Hugging Face directory.
const kerasName = "tf_model.h5"

const indexSuffix = ".index.json"

// found is the weights of a directory: one file, or the index of shards.
type found struct {
	name  string
	index bool
	stem  stem
	// variant is what stands between the name and its ending: "fp16" in
	// model.fp16.safetensors; "" for the names that loaders take unasked.
	variant string
}

// find chooses among the names of a directory. transformers prefers safetensors to
// .bin, and a whole file to an index (modeling_utils.py, _get_resolved_checkpoint_files).
// A variant is taken where nothing else is there: of several the first by name.
func find(names []string) (found, bool) {
	for _, s := range stems {
		for _, name := range []string{s.safe, s.other} {
			switch {
			case slices.Contains(names, name):
				return found{name: name, stem: s}, true
			case slices.Contains(names, name+indexSuffix):
				return found{name: name + indexSuffix, index: true, stem: s}, true
			}
		}
	}
	for _, s := range stems {
		for _, name := range []string{s.safe, s.other} {
			ext := path.Ext(name)
			whole := variantOf(strings.TrimSuffix(name, ext), ext)
			index := variantOf(name+strings.TrimSuffix(indexSuffix, ".json"), ".json")
			for _, candidate := range names {
				if m := whole.FindStringSubmatch(candidate); m != nil {
					return found{candidate, false, s, m[1]}, true
				}
				if m := index.FindStringSubmatch(candidate); m != nil {
					return found{candidate, true, s, m[1]}, true
				}
			}
		}
	}
	if slices.Contains(names, kerasName) {
		return found{name: kerasName, stem: stems[0]}, true
	}
	return found{}, false
}

// variantOf matches a name with a variant in it (transformers/utils/hub.py,
// _add_variant): model.fp16.safetensors, model.safetensors.index.fp16.json.
func variantOf(before, ext string) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.QuoteMeta(before) + `\.(\w+)` + regexp.QuoteMeta(ext) + "$")
}

// weights opens the weights of a directory, nil where it has none. used are the names
// that the view replaces.
func (r *reader) weights(rel string, names []string) (set *checkpoint.Set, used []string, err error) {
	f, ok := find(names)
	switch {
	case !ok:
		return nil, nil, nil
	case f.index:
		set, used, err = r.sharded(rel, f)
	default:
		set, err = r.single(rel, f)
		used = []string{f.name}
	}
	if err == nil && f.variant != "" {
		shown := set.Index
		if shown == "" {
			shown = set.Shards[0].ViewName
		}
		r.note(fmt.Sprintf("%s, the variant %s, is shown as %s", path.Join(rel, f.name), f.variant, shown))
	}
	return set, used, err
}

func (r *reader) shard(rel, name string) (*checkpoint.Checkpoint, error) {
	c, err := r.open(r.dir, path.Join(rel, name))
	if errors.Is(err, source.ErrOutside) {
		err = fmt.Errorf("%s: %w", r.model.Path, err)
	}
	return c, err
}

func (r *reader) single(rel string, f found) (*checkpoint.Set, error) {
	c, err := r.shard(rel, f.name)
	if err != nil {
		return nil, err
	}
	return &checkpoint.Set{Dir: rel, Shards: []checkpoint.Shard{{Checkpoint: c, ViewName: f.stem.safe}}}, nil
}

// viewName is the name of a shard's view: pytorch_model-00001-of-00003.bin becomes
// model-00001-of-00003.safetensors, and a .safetensors file keeps its name.
func viewName(name string, s stem) string {
	ext := path.Ext(name)
	if ext == ".safetensors" {
		return name
	}
	base := strings.TrimSuffix(name, ext)
	other, safe := strings.TrimSuffix(s.other, ".bin"), strings.TrimSuffix(s.safe, ".safetensors")
	if rest, ok := strings.CutPrefix(base, other); ok {
		base = safe + rest
	}
	if !strings.HasPrefix(base, safe) { // clients glob for model*.safetensors
		base = safe + "-" + base
	}
	return base + ".safetensors"
}
