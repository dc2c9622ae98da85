package huggingface

import (
	"path"
	"regexp"
	"strings"
)

// family is the names that one set of weights has in its several forms.
type family struct {
	// safe is the name that the view has, other that of torch's own form.
	safe, other string
	// prefixes are what the names of shards begin with, instead of safe's stem.
	prefixes []string
	// form matches a file that has the tensors of the set in another form.
	form *regexp.Regexp
}

// families are the names that libraries know, the first of them for preference:
// transformers/utils/__init__.py (WEIGHTS_NAME, SAFE_WEIGHTS_NAME),
// diffusers/utils/constants.py and loaders/lora_base.py, peft/utils/constants.py,
// open_clip/constants.py.
var families = []*family{
	{
		safe: "model.safetensors", other: "pytorch_model.bin", prefixes: []string{"pytorch_model", "tf_model"},
		form: regexp.MustCompile(`(?i)^(?:` + forms(`(?:pytorch_|tf_|flax_|rust_)?model|consolidated`) + `|` + deployed + `)$`),
	},
	{
		safe: "diffusion_pytorch_model.safetensors", other: "diffusion_pytorch_model.bin",
		form: regexp.MustCompile(`(?i)^(?:` + forms(`diffusion_(?:pytorch|flax)_model`) + `|` + deployed + `)$`),
	},
	{
		safe: "adapter_model.safetensors", other: "adapter_model.bin",
		form: regexp.MustCompile(`(?i)^` + forms(`adapter_model`) + `$`),
	},
	{
		safe: "pytorch_lora_weights.safetensors", other: "pytorch_lora_weights.bin",
		form: regexp.MustCompile(`(?i)^` + forms(`pytorch_lora_weights`) + `$`),
	},
	{
		safe: "open_clip_model.safetensors", other: "open_clip_pytorch_model.bin", prefixes: []string{"open_clip_pytorch_model"},
		form: regexp.MustCompile(`(?i)^` + forms(`open_clip_(?:pytorch_)?model`) + `$`),
	},
}

const (
	// precision and variant stand between a stem and its ending: model_fp16.bin,
	// model.non_ema-00001-of-00002.safetensors. An underscore and a number do not: Accelerate
	// calls a second model model_1 (accelerate/checkpointing.py, load_accelerator_state).
	precision = `(?:[-_](?:b?f|fp|int|q)\d+\w*|[-_]quantized)?`
	variant   = `(?:\.\w+)?(?:-\d+(?:-of-\d+)?)?(?:\.\w+)?`
	endings   = `\.(?:safetensors|sft|bin|pt|pth|ckpt|h5|keras|msgpack|npz|ot)`
	indices   = `\.(?:safetensors|bin|h5|msgpack)(?:\.\w+)?\.index(?:\.\w+)?\.json`

	// deployed is what a model is exported to: optimum's ONNX (model_quantized.onnx,
	// decoder_model_merged.onnx) and OpenVINO, llama.cpp's GGUF, TensorFlow Lite, Core ML.
	deployed = `(?:(?:en|de)coder_(?:with_past_)?|text_|vision_)?model(?:[-_.][\w.-]*)?\.(?:onnx|onnx_data(?:_\d+)?|onnx\.data|ort)` +
		`|openvino_(?:\w+_)?model(?:[-_.][\w.-]*)?\.(?:bin|xml)` +
		`|(?:ggml-|pytorch_)?model(?:[-_.][\w.-]*)?\.(?:gguf|ggml|tflite|mlmodel)|ggml-model(?:[-_.][\w.-]*)?\.bin|\d+(?:-[\w.-]+)?\.tflite`
)

// forms is a regular expression for a stem, with what may follow it.
func forms(stem string) string {
	return `(?:` + stem + `)` + precision + variant + `(?:` + endings + `|` + indices + `)`
}

// familyOf is the family of weights with a name of one's own.
func familyOf(stem string) *family {
	for _, f := range families {
		if stem+".bin" == f.other || stem+".safetensors" == f.safe {
			return f
		}
	}
	own := regexp.QuoteMeta(stem)
	return &family{
		safe: stem + ".safetensors",
		form: regexp.MustCompile(`(?i)^(?:` + forms(own) + `|` + own + `\.(?:onnx|gguf|tflite|engine|torchscript|mlmodel))$`),
	}
}

var (
	// notForm is in the names of what belongs to a model and is not it.
	notForm = regexp.MustCompile(`(?i)[-_.](weights|lora|adapter|optim\w*|scheduler|tokenizer|vocab|head)[-_.]`)

	// state is what training leaves beside the weights, by names like theirs
	// (transformers/trainer.py, accelerate/utils/constants.py).
	state = regexp.MustCompile(`(?i)^(training_args|optim(izer)?|(lr_)?scheduler|sampler|(grad_)?scaler|rng_state|random_states|dl_state_dict|custom_checkpoint)([-_.].*)?\.\w+$`)

	// words are a vocabulary, whatever its ending.
	words = regexp.MustCompile(`(?i)^(vocab|vocabulary|tokenizer|dict|spiece|sentencepiece|merges)([-_.].*)?\.\w+$`)

	// formDirs hold exports of the model in the directory above.
	formDirs = regexp.MustCompile(`(?i)^(onnx|original|openvino|coreml|tflite|tf|tensorflow|flax|rust|gguf|ggml|metal)$`)

	// onnxFile is ONNX, whatever its name: in a directory of that name all of it is the model's.
	onnxFile = regexp.MustCompile(`(?i)\.(onnx|onnx_data(_\d+)?|onnx\.data|ort)$`)

	// pickled may be a file whose library makes objects when it loads it.
	pickled = regexp.MustCompile(`(?i)\.(bin|pt|pth|ckpt|h5|hdf5|keras|msgpack|onnx|ot|pkl|pickle|joblib|npy|npz|distcp|gguf|tflite|mar|nemo|t7)$`)

	// ofKeras is what Keras loads weights from, and it reads no other form.
	ofKeras = regexp.MustCompile(`\.weights\.(h5|json)$`)
)

// has reports whether a file has the tensors of the family in another form.
func (f *family) has(name string) bool { return f.form.MatchString(name) && !notForm.MatchString(name) }

// isForm reports whether a file has the tensors of weights that are shown, in its own
// directory or, where its directory is one for exports, in the one above.
func (d *folder) isForm(name string) bool {
	exported := false
	for at := d; at != nil; at = at.parent {
		for _, set := range at.sets {
			if set.family.has(name) || exported && onnxFile.MatchString(name) {
				return true
			}
		}
		if len(at.sets) > 0 {
			return false
		}
		exported = exported || formDirs.MatchString(path.Base(at.path))
		if !exported {
			return false
		}
	}
	return false
}

// viewName is the name of a shard's view: pytorch_model-00001-of-00003.bin becomes
// model-00001-of-00003.safetensors, and a .safetensors file keeps its name.
func (f *family) viewName(name string) string {
	ext := path.Ext(name)
	if ext == ".safetensors" {
		return name
	}
	base, safe := strings.TrimSuffix(name, ext), strings.TrimSuffix(f.safe, ".safetensors")
	for _, prefix := range append([]string{strings.TrimSuffix(f.other, ".bin")}, f.prefixes...) {
		if rest, ok := strings.CutPrefix(base, prefix); ok && prefix != "" {
			base = safe + rest
			break
		}
	}
	if !strings.HasPrefix(base, safe) { // clients glob for model*.safetensors
		base = safe + "-" + base
	}
	return base + ".safetensors"
}
