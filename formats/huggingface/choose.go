package huggingface

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"wfs/formats/checkpoint"
)

// found is the weights of a directory in the form that is shown.
type found struct {
	name   string
	kind   kind
	family *family
	// variant is what stands between the name and its ending: "fp16" in
	// model.fp16.safetensors; "" for the names that loaders take unasked.
	variant string
}

// kind is how weights are stored.
type kind int

const (
	whole      kind = iota
	index           // weight_map places each tensor in a shard
	kerasIndex      // Keras's own
	arrays          // all files of NumPy are one checkpoint
)

const indexSuffix = ".index.json"

// choose finds the weights of all folders, or says why there are none.
func (r *reader) choose(root *folder) error {
	any := false
	root.below(func(d *folder) error {
		if !d.repository {
			d.sets = find(d.names)
		}
		any = any || len(d.sets) > 0
		return nil
	})
	if len(root.sets) > 0 {
		return nil
	}
	if one, ok := lone(root.names); ok && !isPipeline(root.names) && (!any || slices.Contains(root.names, "config.json")) {
		root.sets = []found{one}
		return nil
	}
	if !any {
		if ok, err := r.exported(root); ok || err != nil {
			return err
		}
		return r.refuse(root)
	}
	if models := root.models(); len(models) > 1 && !root.isModel(models) {
		return r.fail("%w", &checkpoint.Several{Models: models, Some: some(models)})
	}
	return nil
}

// isPipeline reports whether a file says of the directories below that they are parts of
// one model (diffusers, sentence-transformers).
func isPipeline(names []string) bool {
	return slices.ContainsFunc([]string{"model_index.json", "modular_model_index.json", "modules.json"}, func(name string) bool {
		return slices.Contains(names, name)
	})
}

// isModel reports whether a folder is one model, with the models that are below.
func (d *folder) isModel(below []string) bool {
	if len(d.sets) > 0 || d.repository {
		return true
	}
	if isPipeline(d.names) || slices.Contains(d.names, "config.json") {
		return len(below) > 0
	}
	_, one := lone(d.names)
	return one && d.parent != nil
}

// models are the paths of all models of a tree: directories, and weight files among others.
func (d *folder) models() []string {
	var paths []string
	for stem, names := range loose(d.names) {
		if len(names) == 1 {
			stem = names[0]
		}
		paths = append(paths, path.Join(d.path, stem))
	}
	slices.Sort(paths)
	for _, sub := range d.subs {
		if below := sub.models(); sub.isModel(below) {
			paths = append(paths, sub.path)
		} else {
			paths = append(paths, below...)
		}
	}
	return paths
}

// find chooses among the names of a directory, a set for each family that is there, the
// one that clients take first. transformers prefers safetensors to .bin, and a whole file
// to an index (modeling_utils.py, _get_resolved_checkpoint_files). A variant is taken where
// nothing else is there: of several the first by name.
func find(names []string) []found {
	var sets []found
	for _, f := range families {
		for _, name := range []string{f.safe, f.other} {
			if slices.Contains(names, name) {
				sets = append(sets, found{name: name, family: f})
				break
			}
			if slices.Contains(names, name+indexSuffix) {
				sets = append(sets, found{name: name + indexSuffix, kind: index, family: f})
				break
			}
		}
	}
	if len(sets) > 0 {
		return sets
	}
	for _, v := range variants() {
		for _, candidate := range names {
			if m := v.whole.FindStringSubmatch(candidate); m != nil && !notForm.MatchString(candidate) {
				return []found{{candidate, whole, v.family, m[1]}}
			}
			if m := v.index.FindStringSubmatch(candidate); m != nil {
				return []found{{candidate, index, v.family, m[1]}}
			}
		}
	}
	for _, f := range []found{ // keras/src/saving/saving_lib.py; transformers before 5
		{name: "model.weights.h5"}, {name: "model.weights.json", kind: kerasIndex},
		{name: "tf_model.h5"}, {name: "tf_model.h5" + indexSuffix, kind: index},
	} {
		if slices.Contains(names, f.name) {
			f.family = families[0]
			return []found{f}
		}
	}
	return nil
}

// variants match names with a variant in them (transformers/utils/hub.py, _add_variant):
// model.fp16.safetensors, model.safetensors.index.fp16.json.
var variants = sync.OnceValue(func() (all []struct {
	family       *family
	whole, index *regexp.Regexp
}) {
	between := func(before, ext string) *regexp.Regexp {
		return regexp.MustCompile("^" + regexp.QuoteMeta(before) + `\.(\w+)` + regexp.QuoteMeta(ext) + "$")
	}
	for _, f := range families {
		for _, name := range []string{f.safe, f.other} {
			ext := path.Ext(name)
			all = append(all, struct {
				family       *family
				whole, index *regexp.Regexp
			}{f, between(strings.TrimSuffix(name, ext), ext), between(name+".index", ".json")})
		}
	}
	return all
})

// readable are the endings of weight files, the first of them for preference.
var readable = []string{
	".safetensors", ".sft", ".safetensors" + indexSuffix, ".bin", ".pt", ".pth", ".ckpt", ".bin" + indexSuffix,
	".weights.h5", ".weights.json", ".keras", ".h5", ".hdf5", ".h5" + indexSuffix, ".pth.tar", ".pt.tar", ".pyth",
	".pkl", ".pickle",
}

// anyPickle is a pickle of anything: it counts where there is nothing else.
var anyPickle = regexp.MustCompile(`(?i)\.(pkl|pickle)$`)

// stemOf splits the name of a weight file; rank is how its ending is preferred, -1 for
// another file.
func stemOf(name string) (stem string, rank int) {
	lower := strings.ToLower(name)
	rank = -1
	for i, ending := range readable {
		if strings.HasSuffix(lower, ending) && len(ending) < len(name) && (rank < 0 || len(ending) > len(readable[rank])) {
			rank = i
		}
	}
	if rank < 0 || state.MatchString(name) || words.MatchString(name) {
		return "", -1
	}
	return name[:len(name)-len(readable[rank])], rank
}

// shardOf matches the end of a shard's name: such a file is shown only with its index.
var shardOf = regexp.MustCompile(`(?i)-\d+-of-\d+(\.[a-z]\w*|\.weights\.h5)$|_\d{5}\.weights\.h5$`)

// loose are the weight files of a directory by what they are called: those of the same
// name are forms of the same weights.
func loose(names []string) map[string][]string {
	byStem := map[string][]string{}
	better := slices.ContainsFunc(names, func(name string) bool {
		_, rank := stemOf(name)
		return rank >= 0 && !anyPickle.MatchString(name)
	})
	for _, name := range names {
		if stem, rank := stemOf(name); rank >= 0 && !(better && anyPickle.MatchString(name)) {
			if at := shardOf.FindStringIndex(name); at != nil {
				stem = name[:at[0]]
			}
			byStem[stem] = append(byStem[stem], name)
		}
	}
	return byStem
}

// lone is the one weight file of a directory, called as it may be.
func lone(names []string) (found, bool) {
	byStem := loose(names)
	if len(byStem) != 1 {
		return found{}, false
	}
	stem := slices.Collect(maps.Keys(byStem))[0]
	forms := slices.DeleteFunc(byStem[stem], shardOf.MatchString)
	if len(forms) == 0 {
		return found{}, false
	}
	name := slices.MinFunc(forms, func(a, b string) int {
		_, i := stemOf(a)
		_, j := stemOf(b)
		return cmp.Or(cmp.Compare(i, j), strings.Compare(a, b))
	})
	f := found{name: name, family: familyOf(stem)}
	switch {
	case strings.HasSuffix(name, indexSuffix):
		f.kind = index
	case strings.HasSuffix(name, ".weights.json"):
		f.kind = kerasIndex
	}
	return f, true
}

// indexNamed is the weights whose index was named. Keras's names HDF5 files of its own.
func indexNamed(name string, ofKeras bool) found {
	f := found{name: name, kind: index}
	stem := strings.TrimSuffix(strings.TrimSuffix(name, path.Ext(name)), ".index")
	if m := indexName.FindStringSubmatch(name); m != nil {
		stem = m[1]
	} else if ofKeras {
		f.kind, stem = kerasIndex, strings.TrimSuffix(stem, ".weights")
	}
	f.family = familyOf(strings.TrimPrefix(stem, "tf_"))
	return f
}

// indexName is pytorch_model.bin.index.json, model.safetensors.index.fp16.json.
var indexName = regexp.MustCompile(`(?i)^(.+?)\.(?:safetensors|bin|h5)(?:\.\w+)?\.index(?:\.\w+)?\.json$`)
