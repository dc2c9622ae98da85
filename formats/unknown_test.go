package formats

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zipOf and tarOf make archives; a name that ends with a slash is a directory.
func zipOf(t *testing.T, names ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			w.Write([]byte("content"))
		}
	}
	z.Close()
	return b.String()
}

func tarOf(t *testing.T, names ...string) string {
	var b bytes.Buffer
	a := tar.NewWriter(&b)
	for _, name := range names {
		if err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: 7}); err != nil {
			t.Fatal(err)
		}
		a.Write([]byte("content"))
	}
	a.Close()
	return b.String()
}

// TestUnknown has files of other programs: what they are, and what to do.
func TestUnknown(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"empty.bin", "", "it is empty"},
		{"speech.nemo", tarOf(t, "./model_config.yaml", "./model_weights.ckpt"), "it is an archive of NeMo with model_weights.ckpt in it: unpack it first"},
		{"plain.nemo", tarOf(t, "./model_weights.ckpt"), "it is a tar archive with model_weights.ckpt in it: unpack it first"},
		{"model.tar", tarOf(t, "a/1.pt", "a/2.pt", "a/3.pt", "a/4.pt"), "a tar archive with a/1.pt, a/2.pt, a/3.pt and more in it: unpack it first"},
		{"readme.tar", tarOf(t, "README"), "it is a tar archive without weights, with README in it"},
		{"escape.tar", tarOf(t, "\x1b[31m\n.pt"), `with "\x1b[31m\n.pt" in it`},
		{"agent.zip", zipOf(t, "data", "policy.pth", "pytorch_variables.pth", "_stable_baselines3_version"), "it is an archive of Stable Baselines with policy.pth, pytorch_variables.pth in it: unpack it first"},
		{"policy.zip", zipOf(t, "policy.pth"), "it is a zip file with policy.pth in it: unpack it first"},
		{"model.mar", zipOf(t, "MAR-INF/", "MAR-INF/MANIFEST.json", "model.pt", "handler.py"), "it is an archive of TorchServe with model.pt in it: unpack it first"},
		{"package.pt", zipOf(t, "package/model/model.pkl", "package/.data/extern_modules"), "it is a package of torch.package: load the model with torch.package.PackageImporter"},
		{"old.pt", zipOf(t, "old/version", "old/model.json", "old/code/old.py", "old/tensors/0"), "it is TorchScript of torch before 1.4: load it with torch.jit.load"},
		{"saved.zip", zipOf(t, "1/saved_model.pb", "1/variables/variables.index"), "an archive of a SavedModel of TensorFlow"},
		{"core.zip", zipOf(t, "m.mlpackage/Data/com.apple.CoreML/weights/weight.bin"), "an archive of a Core ML model"},
		{"text.docx", zipOf(t, "[Content_Types].xml", "word/document.xml"), "it is a document of an office program"},
		{"notes.zip", zipOf(t, "a.txt", "\x1b.txt"), `it is a zip file without weights, with a.txt, "\x1b.txt" in it`},
		{"dirs.zip", zipOf(t, "a/"), "it is a zip file with nothing in it"},
		{"unfinished.pt", zipOf(t, "archive/data/0", "archive/version", "archive/.data/serialization_id"), "it holds no data.pkl"},
		{"saved_model.pb", "\x08\x01\x12\xd9\xaa\x01\x0a\xd6\x0e\x12\xa6\x0e\x0a\x5e\x0a\x10AssignVariableOp", "it is the graph of a SavedModel of TensorFlow"},
		{"model.onnx", "\x08\x08\x12\x07pytorch\x1a\x052.1.0:\xff\xff\x01\x0a", "it is ONNX"},
		{"onnx", "\x08\x0a:\xff\xff\x01\x0a\x10", "it is ONNX"},
		{"frozen.pb", "\x0a\x2a\x0a\x05input\x12\x0bPlaceholder*\x0b\x0a\x05dtype\x12\x020\x01", "it is a graph of TensorFlow"},
		{"variables.index", "\x00\x00\x06\x08\x01\x1a\x02\x08" + strings.Repeat("\x00", 40) + "\x57\xfb\x80\x8b\x24\x75\x47\xdb", "it is a part of a checkpoint of TensorFlow"},
		{"variables.data-00000-of-00001", "\x01\x02\x03\xff", "it is a part of a checkpoint of TensorFlow"},
		{"checkpoint", `model_checkpoint_path: "ckpt-1"`, "it names the latest checkpoint of TensorFlow"},
		{"flax_model.msgpack", "\x82\xa6params\x81\xa4bert\x80", "it is msgpack, as Flax writes it"},
		{"matlab5.mat", "MATLAB 5.0 MAT-file, Platform: GLNXA64", "it is a MATLAB 5 file: load it with scipy.io.loadmat"},
		{"array.joblib", "\x80\x04\x95\xcb\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94\x8c\x13joblib.numpy_pickle\x94\x8c\x11NumpyArrayWrapper\x94\x93\x94)\x81\x94\x0c", "it is a joblib file with arrays: load it with joblib.load"},
		{"compressed.joblib", "\x78\x9c\x6b\x60", "it is compressed with zlib, as joblib does it"},
		{"old.ggml", "lmgg\x01\x00", "it is GGML"},
		{"model.tflite", "\x1c\x00\x00\x00TFL3", "it is TensorFlow Lite"},
		{"model.ptl", "\x1c\x00\x00\x00PTMF", "it is a model of PyTorch Mobile"},
		{"old.t7", "\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1", "it is a file of Torch 7"},
		{"pointer.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0", "run `git lfs pull`"},
		{"page.bin", "<!DOCTYPE html>", "it is an HTML page: a download failed"},
		{"config.json", `{"architectures": ["é`, "it is JSON, and no weights"},
		{"shards.txt", `{"weight_map": {}}`, "it is an index of shards"},
		{"cut.txt", "text that is cut within a letter: \xc3", "it is text"},
		{"zeros.bin", strings.Repeat("\x00", 600), "it begins with zeros"},
		{"odd.bin", "\x01\x02\x03", "it begins with 01 02 03"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path)
		if err == nil {
			m.Close()
			t.Errorf("%s: it is read", c.name)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, c.want) || !strings.HasPrefix(text, path+": ") || len(text) > 4096 || strings.ContainsAny(text, "\n\x1b") {
			t.Errorf("%s: %q, want %q", c.name, text, c.want)
		}
	}
}

// FuzzUnknown describes any bytes at all in one short line.
func FuzzUnknown(f *testing.F) {
	f.Add([]byte("\x08\x01\x12\xd9\xaa\x01\x0a\xd6"))
	f.Add([]byte("\x0a\x2a\x0a\x05input\x12\x0bPlaceholder"))
	f.Add([]byte("\xde\x00\x01\xa1a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, what := range []string{protobuf(b), named([]string{string(b)})} {
			if len(what) > 2000 || strings.ContainsAny(what, "\n\r\x1b") {
				t.Errorf("%q", what)
			}
		}
		isMsgpack(b)
		isText(b)
	})
}
