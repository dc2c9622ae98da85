package huggingface

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// refuse says what a directory is that has no weights under names that are known.
func (r *reader) refuse(root *folder) error {
	if err := r.dangling(root); err != nil {
		return err
	}
	if what := root.describe(); what != "" {
		return r.fail("%w: %s", checkpoint.ErrUnknownFormat, what)
	}
	models := root.models()
	var files []string
	root.below(func(d *folder) error {
		for _, name := range d.names {
			if _, rank := stemOf(name); rank >= 0 {
				files = append(files, path.Join(d.path, name))
			}
		}
		return nil
	})
	missing := "it holds no " + families[0].safe + ", no " + families[0].other + " and no index of shards"
	switch {
	case len(files) == 1:
		return r.fail("%w: %s; mount its weight file by itself: %s", checkpoint.ErrUnknownFormat, missing, some(files))
	case slices.ContainsFunc(files, shardOf.MatchString) && len(models) < 2:
		return r.fail("%w: it holds shards, %s, without their index file: download that too", checkpoint.ErrUnknownFormat, some(files))
	case len(models) > 1 && slices.ContainsFunc(root.subs, func(d *folder) bool { return slices.Contains(models, d.path) }):
		return r.fail("%w", &checkpoint.Several{Models: models, Some: some(models)})
	case len(files) > 1:
		return r.fail("%w: %s; mount one of its weight files by itself: %s", checkpoint.ErrUnknownFormat, missing, some(files))
	}
	return r.fail("%w: %s", checkpoint.ErrUnknownFormat, missing)
}

// dangling is an error for weights whose link leads nowhere.
func (r *reader) dangling(root *folder) error {
	return root.below(func(d *folder) error {
		for _, e := range d.entries {
			if e.Kind != source.Unreadable {
				continue
			}
			if _, rank := stemOf(e.Name); rank < 0 && len(find([]string{e.Name})) == 0 {
				continue
			}
			if err := r.fault(path.Join(d.path, e.Name)); errors.Is(err, source.ErrDangling) {
				return r.fail("%w: download it again", err)
			}
		}
		return nil
	})
}

// signatures are what directories of other programs have in them.
var signatures = []struct {
	file *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`^saved_model\.pb(txt)?$`), "it is a SavedModel of TensorFlow: load it there, and save the weights with Keras's save_weights as NAME.weights.h5"},
	{regexp.MustCompile(`\.distcp$`), "it is a distributed checkpoint of torch: `python -m torch.distributed.checkpoint.format_utils dcp_to_torch DIR FILE` makes one file of it"},
	{regexp.MustCompile(`^(zero_to_fp32\.py|zero_pp_rank_\d+_mp_rank_\d+_(optim|model)_states\.pt)$`), "it is a checkpoint of DeepSpeed: its zero_to_fp32.py makes one file of it"},
	{regexp.MustCompile(`^(manifest\.ocdbt|_CHECKPOINT_METADATA)$`), "it is a checkpoint of Orbax (JAX): load it there, and save the arrays as safetensors"},
	{regexp.MustCompile(`\.data-\d{5}-of-\d{5}$`), "it is a checkpoint of TensorFlow: load it there, and save the weights with Keras's save_weights as NAME.weights.h5"},
	{regexp.MustCompile(`^latest_checkpointed_iteration\.txt$`), "it is a checkpoint of Megatron: convert it with Megatron's tools"},
	{regexp.MustCompile(`^(data\.pkl|constants\.pkl)$`), "it is a torch file that was unpacked: mount the file that it was unpacked from"},
	{regexp.MustCompile(`\.(pdparams|pdiparams)$`), "it is a model of Paddle: save its weights as safetensors"},
	{regexp.MustCompile(`(?i)\.onnx$`), "its weights are ONNX, which wfs does not read"},
	{regexp.MustCompile(`(?i)\.msgpack$`), "its weights are of Flax, which wfs does not read: transformers before version 5 converts them (from_flax=True)"},
	{regexp.MustCompile(`(?i)\.tflite$`), "its weights are TensorFlow Lite, which wfs does not read"},
	{regexp.MustCompile(`(?i)\.ot$`), "its weights are of rust-bert, which wfs does not read"},
	{regexp.MustCompile(`(?i)^openvino_.*\.xml$`), "its weights are of OpenVINO, which wfs does not read"},
	{regexp.MustCompile(`(?i)\.mlmodel$`), "it is a model of Core ML, which wfs does not read"},
}

// describe says what a directory is by the names in it, "" where they say nothing. Names
// in the directory itself go before those below, and weights that wfs reads before all.
func (d *folder) describe() string {
	for _, s := range signatures {
		if slices.ContainsFunc(d.names, s.file.MatchString) && (strings.HasPrefix(s.what, "it is") || len(loose(d.names)) == 0) {
			return s.what
		}
	}
	what := ""
	for _, sub := range d.subs {
		switch other := sub.describe(); {
		case other == "":
		case what == "" || what == other:
			what = other
		default:
			return ""
		}
	}
	if len(loose(d.names)) > 0 {
		return ""
	}
	return what
}
