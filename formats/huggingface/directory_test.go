package huggingface

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// fake reads any file as one tensor named after it.
func fake(dir source.Dir, path string) (*checkpoint.Checkpoint, error) {
	src, err := dir.Open(path)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return &checkpoint.Checkpoint{Source: src, Separator: ".", Tensors: []*checkpoint.Tensor{
		{Key: key, DType: checkpoint.U8, Shape: []int64{src.Size()}, Data: &segment.Range{Src: src, N: src.Size()}},
	}}, nil
}

// openDir opens a local directory.
func openDir(path string, read checkpoint.OpenFile) (*checkpoint.Model, error) {
	dir, err := source.OpenDir(path)
	if err != nil {
		return nil, err
	}
	arrays := func(dir source.Dir, paths []string) (*checkpoint.Checkpoint, error) { return read(dir, paths[0]) }
	return Format(Joins{Arrays: arrays}).Open(checkpoint.Place{Dir: dir}, read)
}

// tree writes files; a value that begins with "-> " is the target of a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// show renders a model: "dir/view=source" for shards, "+path" for what passes.
func show(m *checkpoint.Model) string {
	var parts []string
	for _, set := range m.Sets {
		for _, s := range set.Shards {
			parts = append(parts, filepath.Join(set.Dir, s.ViewName)+"="+s.Source.Name())
		}
		if set.Index != "" {
			parts = append(parts, filepath.Join(set.Dir, set.Index))
		}
	}
	for _, f := range m.Files {
		parts = append(parts, "+"+f.Path)
	}
	return strings.Join(parts, " ")
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
		wrong string
	}{
		{"bin", map[string]string{"pytorch_model.bin": "x", "config.json": "{}"},
			"model.safetensors=pytorch_model.bin +config.json", ""},
		{"safetensors wins", map[string]string{"pytorch_model.bin": "x", "model.safetensors": "y", "model.fp16.safetensors": "z", "tf_model.h5": "h"},
			"model.safetensors=model.safetensors", ""},
		{"shards", map[string]string{
			"pytorch_model.bin.index.json":     `{"weight_map":{"pytorch_model-00001-of-00002":"pytorch_model-00001-of-00002.bin","pytorch_model-00002-of-00002":"pytorch_model-00002-of-00002.bin"}}`,
			"pytorch_model-00001-of-00002.bin": "1", "pytorch_model-00002-of-00002.bin": "2", "tokenizer.json": "{}"},
			"model-00001-of-00002.safetensors=pytorch_model-00001-of-00002.bin model-00002-of-00002.safetensors=pytorch_model-00002-of-00002.bin model.safetensors.index.json +tokenizer.json", ""},
		{"diffusers", map[string]string{"model_index.json": "{}", "unet/diffusion_pytorch_model.bin": "u", "unet/config.json": "{}", "text_encoder/pytorch_model.bin": "t", ".git/config": "g"},
			"text_encoder/model.safetensors=pytorch_model.bin unet/diffusion_pytorch_model.safetensors=diffusion_pytorch_model.bin +model_index.json +unet/config.json", ""},
		{"adapter", map[string]string{"adapter_model.bin": "a"}, "adapter_model.safetensors=adapter_model.bin", ""},
		{"variant", map[string]string{"model.fp16.safetensors": "x", "pytorch_model.non_ema.bin": "y"},
			"model.safetensors=model.fp16.safetensors", ""},
		{"variant beside the plain name", map[string]string{"model.fp16.safetensors": "x", "pytorch_model.bin": "y"},
			"model.safetensors=pytorch_model.bin", ""},
		{"variant shards", map[string]string{
			"model.safetensors.index.fp16.json":      `{"weight_map":{"model.fp16-00001-of-00001":"model.fp16-00001-of-00001.safetensors"}}`,
			"model.fp16-00001-of-00001.safetensors":  "x",
			"model-00001-of-00001.fp32.safetensors":  "not named by the index",
			"pytorch_model-00001-of-00001.fp32.bin":  "nor this",
			"pytorch_model.bin.index.fp16.json":      "another form",
			"unet/diffusion_pytorch_model.fp16.bin":  "u",
			"lora/pytorch_lora_weights.safetensors":  "l",
			"vae/diffusion_pytorch_model.bf16.bin":   "v",
			"vae/diffusion_pytorch_model.fp16.bin":   "second by name",
			"vae/diffusion_pytorch_model-0001.x.bin": "a shard is not a variant"},
			"model.fp16-00001-of-00001.safetensors=model.fp16-00001-of-00001.safetensors model.safetensors.index.json " +
				"lora/pytorch_lora_weights.safetensors=pytorch_lora_weights.safetensors " +
				"unet/diffusion_pytorch_model.safetensors=diffusion_pytorch_model.fp16.bin " +
				"vae/diffusion_pytorch_model.safetensors=diffusion_pytorch_model.bf16.bin", ""},
		{"names of one's own", map[string]string{
			"model.safetensors.index.json": `{"metadata":{"total_size":1e3,"x":[{}]},"weight_map":{"0001":"0001.safetensors","pytorch_model-2":"pytorch_model-2.safetensors"}}`,
			"0001.safetensors":             "x", "pytorch_model-2.safetensors": "y"},
			"0001.safetensors=0001.safetensors pytorch_model-2.safetensors=pytorch_model-2.safetensors model.safetensors.index.json", ""},
		{"shards beside the index", map[string]string{
			"pytorch_model.bin.index.json": `{"weight_map":{"pytorch_model-1":"pytorch_model-1.bin"}}`,
			"pytorch_model-1.bin":          "x", "pytorch_model-2.bin": "y", "consolidated.00.pth": "z", "consolidated.safetensors": "z"},
			"model-1.safetensors=pytorch_model-1.bin model.safetensors.index.json", ""},
		{"a training", map[string]string{
			"model.safetensors": "x", "optimizer.pt": "o", "scheduler.pt": "s", "rng_state.pth": "r", "rng_state_3.pth": "r",
			"training_args.bin": "t", "trainer_state.json": "{}", "global_step7/mp_rank_00_model_states.pt": "d"},
			"model.safetensors=model.safetensors +optimizer.pt +rng_state.pth +rng_state_3.pth +scheduler.pt +trainer_state.json +training_args.bin +global_step7/mp_rank_00_model_states.pt", ""},
		{"other forms", map[string]string{
			"model.safetensors": "x", "original/consolidated.00.pth": "o", "original/params.json": "p", "onnx/model.onnx": "n",
			"onnx/model.onnx_data": "n", "model-q4.gguf": "g", "flax_model.msgpack": "f", ".cache/huggingface/x.lock": "", ".git/HEAD": "",
			"__pycache__/a.pyc": "", ".gitattributes": "g"},
			"model.safetensors=model.safetensors +.gitattributes +original/params.json", ""},
		{"accelerate's state", map[string]string{
			"pytorch_model.bin": "m", "pytorch_model_1.bin": "another model", "optimizer.bin": "o", "optimizer_1.bin": "o", "scheduler.bin": "s",
			"scheduler_1.bin": "s", "sampler.bin": "s", "sampler_1.bin": "s", "dl_state_dict.bin": "d", "scaler.pt": "s", "random_states_0.pkl": "r", "custom_checkpoint_0.pkl": "c"},
			"model.safetensors=pytorch_model.bin +custom_checkpoint_0.pkl +dl_state_dict.bin +optimizer.bin +optimizer_1.bin +pytorch_model_1.bin " +
				"+random_states_0.pkl +sampler.bin +sampler_1.bin +scaler.pt +scheduler.bin +scheduler_1.bin", ""},
		{"what is no form of the model", map[string]string{
			"model.safetensors": "x", "v_head.bin": "v", "model.lora.safetensors": "l", "projector.safetensors": "p", "vocab.bin": "v",
			"tokenizer.onnx": "t", "mmproj-F16.gguf": "p", "value_head.pth": "v", "pytorch_model_fsdp.bin": "f", "model_head.bin": "h",
			"ip_adapter.bin": "i", "special/flax_model.msgpack": "a model of its own", "tokenizer.model": "t"},
			"model.safetensors=model.safetensors +ip_adapter.bin +mmproj-F16.gguf +model.lora.safetensors +model_head.bin +projector.safetensors " +
				"+pytorch_model_fsdp.bin +tokenizer.model +tokenizer.onnx +v_head.bin +value_head.pth +vocab.bin +special/flax_model.msgpack", ""},
		{"forms of the model", map[string]string{
			"model.safetensors": "x", "pytorch_model.bin": "", "pytorch_model.fp16.bin": "", "model.non_ema.safetensors": "", "model-00001-of-00002.safetensors": "",
			"pytorch_model.bin.index.json": "", "tf_model.h5": "", "flax_model.msgpack": "", "rust_model.ot": "", "model.onnx": "", "model_quantized.onnx": "",
			"model.onnx_data": "", "64.tflite": "", "model.gguf": "", "consolidated.00.pth": "", "consolidated.safetensors": "", "model_fp16.safetensors": "",
			"onnx/decoder_model_merged_q4.onnx": "", "onnx/vision_encoder.onnx": "", "openvino/openvino_model.bin": "", "openvino/openvino_model.xml": "",
			"original/consolidated.00.pth": "", "original/tokenizer.model": "", "flax_model.msgpack.index.json": "", "flax_model-00001-of-00002.msgpack": "",
			"tf_model-00001-of-00002.h5": "", "tf_model.h5.index.json": "", "pytorch_model.pt": ""},
			"model.safetensors=model.safetensors +original/tokenizer.model", ""},
		{"an adapter beside a model", map[string]string{
			"pytorch_model.bin": "m", "adapter_model.bin": "a", "adapter_config.json": "{}", "adapter_model.fp16.bin": "another variant"},
			"model.safetensors=pytorch_model.bin adapter_model.safetensors=adapter_model.bin +adapter_config.json", ""},
		{"sets in one directory", map[string]string{
			"model.safetensors": "m", "adapter_model.safetensors": "a", "adapter_model.bin": "a", "pytorch_lora_weights.safetensors": "l",
			"open_clip_model.safetensors": "o", "open_clip_pytorch_model.bin": "o", "pytorch_model.bin": "m", "diffusion_pytorch_model.bin": "d"},
			"model.safetensors=model.safetensors diffusion_pytorch_model.safetensors=diffusion_pytorch_model.bin adapter_model.safetensors=adapter_model.safetensors " +
				"pytorch_lora_weights.safetensors=pytorch_lora_weights.safetensors open_clip_model.safetensors=open_clip_model.safetensors", ""},
		{"a set that would share its name", map[string]string{"model.safetensors": "m", "adapter_model.bin": "a", "adapter_model/x.txt": ""},
			"model.safetensors=model.safetensors +adapter_model.bin +adapter_model/x.txt", ""},
		{"open_clip", map[string]string{"open_clip_pytorch_model.bin": "o", "open_clip_config.json": "{}"},
			"open_clip_model.safetensors=open_clip_pytorch_model.bin +open_clip_config.json", ""},
		{"a lone model.pth", map[string]string{"model.pth": "o", "config.json": "{}", "README.md": "", "optimizer.pth": "o"},
			"model.safetensors=model.pth +README.md +config.json +optimizer.pth", ""},
		{"a lone file", map[string]string{"vit_tiny.augreg.pth": "o", "config.json": "{}"}, "vit_tiny.augreg.safetensors=vit_tiny.augreg.pth +config.json", ""},
		{"a lone file in three forms", map[string]string{"best.ckpt": "o", "best.safetensors": "o", "best.onnx": "o", "labels.txt": ""},
			"best.safetensors=best.safetensors +labels.txt", ""},
		{"a lone file beside a vocabulary", map[string]string{"final-model.pt": "m", "vocab.bin": "v", "labels.pkl": "l", "dict.pt": "d"},
			"final-model.safetensors=final-model.pt +dict.pt +labels.pkl +vocab.bin", ""},
		{"a lone .pth.tar", map[string]string{"checkpoint.pth.tar": "m", "config.yaml": ""}, "checkpoint.safetensors=checkpoint.pth.tar +config.yaml", ""},
		{"a lone pickle", map[string]string{"network.pkl": "m"}, "network.safetensors=network.pkl", ""},
		{"a lone pytorch_model.pt", map[string]string{"pytorch_model.pt": "o"}, "model.safetensors=pytorch_model.pt", ""},
		{"a lone file beside checkpoints", map[string]string{"my.pt": "o", "config.json": "{}", "checkpoint-5/model.safetensors": "m"},
			"my.safetensors=my.pt checkpoint-5/model.safetensors=model.safetensors +config.json", ""},
		{"a lone index", map[string]string{"big.safetensors.index.json": `{"weight_map":{"big-00001-of-00001":"big-00001-of-00001.safetensors"}}`, "big-00001-of-00001.safetensors": "x"},
			"big-00001-of-00001.safetensors=big-00001-of-00001.safetensors big.safetensors.index.json", ""},
		{"an unpacked .keras", map[string]string{"model.weights.h5": "w", "config.json": "{}", "metadata.json": "{}", "assets/vocab.txt": ""},
			"model.safetensors=model.weights.h5 +config.json +metadata.json +model.weights.h5 +assets/vocab.txt", ""},
		{"a preset of keras-hub", map[string]string{"model.weights.h5": "w", "task.weights.h5": "t", "task.json": "{}", "config.json": "{}", "assets/tokenizer/vocab.txt": ""},
			"model.safetensors=model.weights.h5 +config.json +model.weights.h5 +task.json +task.weights.h5 +assets/tokenizer/vocab.txt", ""},
		{"Keras's shards", map[string]string{"model.weights.json": `{"weight_map":{"/a":["model_00000.weights.h5"],"/b":"model_00001.weights.h5"}}`,
			"model_00000.weights.h5": "", "model_00001.weights.h5": ""},
			"model-00001-of-00002.safetensors=model_00000.weights.h5 model-00002-of-00002.safetensors=model_00001.weights.h5 model.safetensors.index.json " +
				"+model.weights.json +model_00000.weights.h5 +model_00001.weights.h5", ""},
		{"Keras's shards by another name", map[string]string{"my.weights.json": `{"weight_map":{"/a":["my_00000.weights.h5"]}}`, "my_00000.weights.h5": ""},
			"my-00001-of-00001.safetensors=my_00000.weights.h5 my.safetensors.index.json +my.weights.json +my_00000.weights.h5", ""},
		{"Keras's shard outside", map[string]string{"model.weights.json": `{"weight_map":{"/a":["../x.weights.h5"]}}`}, "", "not a file of its directory"},
		{"Keras's index of numbers", map[string]string{"model.weights.json": `{"weight_map":{"/a":[7]}}`}, "", "something else than names of files"},
		{"Keras's index of objects", map[string]string{"model.weights.json": `{"weight_map":{"/a":[["x"]]}}`}, "", "something else than names of files"},
		{"Keras's index cut short", map[string]string{"model.weights.json": `{"weight_map":{"/a":["x"`}, "", "unexpected EOF"},
		{"Keras's index of nothing", map[string]string{"model.weights.json": `{"weight_map":{"/a":[]}}`}, "", "names no shards"},
		{"TensorFlow's shards", map[string]string{
			"tf_model.h5.index.json":     `{"weight_map":{"tf_bert/tf_model-00001-of-00002":"tf_model-00001-of-00002.h5","tf_model-00002-of-00002":"tf_model-00002-of-00002.h5"}}`,
			"tf_model-00001-of-00002.h5": "", "tf_model-00002-of-00002.h5": "", "config.json": "{}"},
			"model-00001-of-00002.safetensors=tf_model-00001-of-00002.h5 model-00002-of-00002.safetensors=tf_model-00002-of-00002.h5 model.safetensors.index.json +config.json", ""},
		{"TensorFlow's shard without its tensor", map[string]string{
			"tf_model.h5.index.json": `{"weight_map":{"tf_bert/x":"tf_model-1.h5"}}`, "tf_model-1.h5": ""}, "", `tensor "tf_bert/x"`},
		{"a link that leads nowhere beside another form", map[string]string{"model.safetensors": "-> nowhere", "pytorch_model.bin": "x"},
			"model.safetensors=pytorch_model.bin", ""},
		{"a shard's link leads nowhere", map[string]string{
			"model.safetensors.index.json": `{"weight_map":{"a":"a.safetensors"}}`, "a.safetensors": "-> ../blobs/0"}, "", "it names a.safetensors, which is a link to a file that is not there"},
		{"a tree of models", map[string]string{"a/model.safetensors": "", "b/pytorch_model.bin": "", "c/d/my.pt": "", "c/e.txt": "", "loras/x.safetensors": "", "loras/y.safetensors": ""},
			"", "it holds 5 models: mount one of a, b, c/d, loras/x.safetensors, loras/y.safetensors"},
		{"a tree of pipelines", map[string]string{"sd/model_index.json": "{}", "sd/unet/diffusion_pytorch_model.bin": "", "sd/vae/diffusion_pytorch_model.bin": "", "big.gguf": "", "x.ckpt": "", "b/pytorch_model.bin": ""},
			"", "it holds 3 models: mount one of x.ckpt, b, sd"},
		{"a tree of cached models", map[string]string{"models--a--b/refs/main": "1", "models--a--b/snapshots/1/model.safetensors": "", "models--c/refs/main": "1", "models--c/blobs/1": "", "models--c/snapshots/1/x": ""},
			"", "it holds 2 models: mount one of models--a--b, models--c"},
		{"one model below", map[string]string{"sub/pytorch_model.bin": "x", "sub/config.json": "{}"}, "sub/model.safetensors=pytorch_model.bin +sub/config.json", ""},
		{"shards without an index", map[string]string{"model-00001-of-00002.safetensors": "", "model-00002-of-00002.safetensors": ""}, "",
			"it holds shards, model-*-of-00002.safetensors (2 files), without their index file"},
		{"a SavedModel", map[string]string{"saved_model.pb": "", "keras_metadata.pb": "", "variables/variables.index": "", "variables/variables.data-00000-of-00001": ""}, "", "it is a SavedModel of TensorFlow"},
		{"a SavedModel below", map[string]string{"1/saved_model.pb": "", "1/variables/variables.index": ""}, "", "it is a SavedModel of TensorFlow"},
		{"a checkpoint of TensorFlow", map[string]string{"ckpt-1.index": "", "ckpt-1.data-00000-of-00001": "", "checkpoint": ""}, "", "it is a checkpoint of TensorFlow"},
		{"a distributed checkpoint", map[string]string{".metadata": "", "__0_0.distcp": ""}, "", "it is a distributed checkpoint of torch"},
		{"DeepSpeed's", map[string]string{"zero_to_fp32.py": "", "latest": "", "global_step5/mp_rank_00_model_states.pt": ""}, "", "zero_to_fp32.py makes one file of it"},
		{"several of GGUF", map[string]string{"a.Q4.gguf": "", "q8/b-00001-of-00002.gguf": "", "q8/b-00002-of-00002.gguf": "", "config.json": "", "mmproj-F16.gguf": ""}, "",
			"it holds 2 models: mount one of a.Q4.gguf, q8/b-00001-of-00002.gguf"},
		{"one of GGUF", map[string]string{"a-Q4_K_M.gguf": "g", "config.json": "{}", "mmproj-F16.gguf": "p", "sub/imatrix.gguf": "i", "model.onnx": "o"},
			"a-Q4_K_M.safetensors=a-Q4_K_M.gguf +config.json +mmproj-F16.gguf +model.onnx +sub/imatrix.gguf", ""},
		{"one of GGUF below", map[string]string{"q8/model.gguf": "g", "config.json": "{}"}, "q8/model.safetensors=model.gguf +config.json", ""},
		{"an archive of arrays", map[string]string{"w.npz": "a", "data.npy": "d", "config.json": "{}"}, "w.safetensors=w.npz +config.json +data.npy", ""},
		{"GGUF before arrays", map[string]string{"w.npz": "a", "w.gguf": "g", "x.npz": "x"}, "w.safetensors=w.gguf +x.npz", ""},
		{"arrays", map[string]string{"b.npy": "b", "params/a.npy": "a", "params/x.txt": "x"}, "model.safetensors=b.npy +params/x.txt", ""},
		{"arrays beside weights", map[string]string{"b.npy": "b", "model.safetensors": "m"}, "model.safetensors=model.safetensors +b.npy", ""},
		{"a projector alone", map[string]string{"mmproj-F16.gguf": "p"}, "mmproj-F16.safetensors=mmproj-F16.gguf", ""},
		{"GGUF beside weights of another name", map[string]string{"mine.pt": "w", "other-Q4.gguf": "g"}, "mine.safetensors=mine.pt +other-Q4.gguf", ""},
		{"GGUF beside weights below", map[string]string{"unet/diffusion_pytorch_model.bin": "u", "model_index.json": "{}", "x.gguf": "g"},
			"unet/diffusion_pytorch_model.safetensors=diffusion_pytorch_model.bin +model_index.json +x.gguf", ""},
		{"an unpacked torch file", map[string]string{"archive/data.pkl": "", "archive/version": "", "archive/data/0": ""}, "", "it is a torch file that was unpacked"},
		{"nothing", map[string]string{"config.json": "{}", "tokenizer.json": "{}"}, "", "it holds no model.safetensors"},
		{"one shard twice", map[string]string{
			"pytorch_model.bin.index.json": `{"weight_map":{"a":"a.bin","model-a":"model-a.bin"}}`, "a.bin": "x", "model-a.bin": "y"},
			"", "would both be shown as model-a.safetensors"},
		{"index through a link", map[string]string{"pytorch_model.bin.index.json": "-> /etc/hostname"}, "", "leaves the directory"},
		{"shard through a link", map[string]string{
			"pytorch_model.bin.index.json": `{"weight_map":{"a":"a.bin"}}`, "a.bin": "-> /etc/hostname"}, "", "leaves the directory"},
		{"dangling link", map[string]string{"model.safetensors": "x", "config.json": "-> nowhere", "latest": "-> ."},
			"model.safetensors=model.safetensors", ""},
		{"dangling weights", map[string]string{"model.safetensors": "-> nowhere"}, "", "model.safetensors is a link to a file that is not there"},
		{"one file of another name", map[string]string{"a/lora.pt": "x", "readme.md": "y"}, "", "mount its weight file by itself: a/lora.pt"},
		{"files of other names", map[string]string{"1.pt": "", "2.pth": "", "3.ckpt": "", "4.bin": "", "5.safetensors": "", "6.pt": "", "7.pt": ""},
			"", "mount one of its weight files by itself: 1.pt, 2.pth, 3.ckpt, 4.bin, 5.safetensors, 6.pt, 7.pt"},
		{"leaving link", map[string]string{"pytorch_model.bin": "x", "secret.txt": "-> /etc/hostname"}, "model.safetensors=pytorch_model.bin", ""},
		{"weights outside", map[string]string{"pytorch_model.bin": "-> /etc/hostname"}, "", "leaves the directory"},
		{"index outside", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"../x.bin"}}`}, "", "not a file of its directory"},
		{"index absolute", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"/etc/passwd"}}`}, "", "not a file of its directory"},
		{"missing shard", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"x.bin"}}`}, "", "x.bin, which is missing"},
		{"missing tensor", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"x.bin"}}`, "x.bin": "1"}, "", `tensor "a"`},
		{"index that is none", map[string]string{"pytorch_model.bin.index.json": `[]`}, "", "not the JSON of an index"},
		{"index with two places", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"a.bin","a":"b.bin"}}`}, "", `in "a.bin" and in "b.bin"`},
		{"index with two maps", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{},"weight_map":{}}`}, "", "two of weight_map"},
		{"index of numbers", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":1}}`}, "", "not the JSON of an index"},
		{"index cut short", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"a.bin"`}, "", "unexpected EOF"},
		{"index with more", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"a.bin"}} x`}, "", "not the JSON of an index"},
		{"deep index", map[string]string{"pytorch_model.bin.index.json": `{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`}, "", "too deep"},
		{"index names a directory", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"d"}}`, "d/x": ""}, "", "not a regular file"},
		{"dots", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":".."}}`}, "", "not a file of its directory"},
		{"empty index", map[string]string{"pytorch_model.bin.index.json": `{}`}, "", "names no shards"},
		{"nothing", map[string]string{"readme.md": "x"}, "", "not a weight file"},
	} {
		m, err := openDir(tree(t, c.files), fake)
		switch {
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: error %v does not say %q", c.name, err, c.wrong)
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.wrong == "":
			if got := show(m); got != c.want {
				t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
			}
			m.Close()
		}
	}
}

// several reads a file as one tensor for each word in it.
func several(dir source.Dir, path string) (*checkpoint.Checkpoint, error) {
	src, err := dir.Open(path)
	if err != nil {
		return nil, err
	}
	b := make([]byte, src.Size())
	src.ReadAt(b, 0)
	c := &checkpoint.Checkpoint{Source: src, Separator: ".", Verbatim: true}
	for _, key := range strings.Fields(string(b)) {
		c.Tensors = append(c.Tensors, &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Data: segment.Literal("x")})
	}
	return c, nil
}

// TestCopies has tensors in two shards: the index decides, and where it says nothing
// the directory is refused.
func TestCopies(t *testing.T) {
	const index = `{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`
	m, err := openDir(tree(t, map[string]string{
		"model.safetensors.index.json": index, "1.safetensors": "a b extra", "2.safetensors": "b",
	}), several)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	first, second := m.Sets[0].Shards[0], m.Sets[0].Shards[1]
	if len(first.Tensors) != 2 || first.Tensors[1].Key != "extra" || first.Verbatim {
		t.Errorf("the first shard has %d tensors, verbatim %v", len(first.Tensors), first.Verbatim)
	}
	if len(second.Tensors) != 1 || !second.Verbatim {
		t.Errorf("the second shard has %d tensors, verbatim %v", len(second.Tensors), second.Verbatim)
	}
	if len(m.Notes) != 1 || !strings.Contains(m.Notes[0], "1 of its tensors") {
		t.Errorf("notes: %q", m.Notes)
	}
	_, err = openDir(tree(t, map[string]string{
		"model.safetensors.index.json": index, "1.safetensors": "a c", "2.safetensors": "b c",
	}), several)
	if err == nil || !strings.Contains(err.Error(), `tensor "c" is in 1.safetensors and in 2.safetensors`) {
		t.Errorf("a tensor in two shards: %v", err)
	}
}

// TestBounds has more files and directories than a model has.
func TestBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	dir := tree(t, map[string]string{"model.safetensors": "x", strings.Repeat("d/", maxDepth+1) + "x": ""})
	if _, err := openDir(dir, fake); err == nil || !strings.Contains(err.Error(), "nested more than") {
		t.Errorf("deep directories: %v", err)
	}
	files := map[string]string{} // each level looks like a model until its end
	for dir := "a"; len(dir) < 2*maxDepth-2; dir += "/a" {
		files[dir+"/config.json"] = "{}"
	}
	begin := time.Now()
	if _, err := openDir(tree(t, files), fake); err == nil || !strings.Contains(err.Error(), "it holds no model.safetensors") {
		t.Errorf("configurations alone: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	files = map[string]string{"model.safetensors": "x"}
	for i := range 3000 {
		files[fmt.Sprintf("files/%04d.txt", i)] = ""
	}
	m, err := openDir(tree(t, files), fake)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Files) != 3000 {
		t.Errorf("%d files are passed through", len(m.Files))
	}
	m.Close()
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":12.0},"weight_map":{"a.b":"model-00001-of-00002.safetensors","c":"x"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"},"x":[[{"y":null}],1e9,"\ud800"]}`))
	f.Add([]byte(`{"weight_map":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		places, err := readIndex(source.NewMemory("index", segment.Literal(b), nil))
		if err != nil {
			return
		}
		// What is accepted here is what encoding/json makes of it.
		var whole map[string]json.RawMessage
		want := map[string]string{}
		if err := json.Unmarshal(b, &whole); err != nil {
			t.Fatalf("accepted %q: %v", b, err)
		}
		if err := json.Unmarshal(whole["weight_map"], &want); err != nil && places != nil {
			t.Fatalf("accepted %q: %v", b, err)
		}
		if !maps.Equal(places, want) {
			t.Fatalf("%q: %q, want %q", b, places, want)
		}
	})
}
