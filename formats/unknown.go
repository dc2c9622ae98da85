package formats

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"wfs/formats/deflate"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/torch"
)

// lfsPointer begins the text file that git leaves where a large file was not fetched
// (git-lfs docs/spec.md).
const lfsPointer = "version https://git-lfs.github.com/spec/"

// What to do with weights of other programs.
const (
	saveByKeras  = ": load it there, and save the weights with Keras's save_weights as NAME.weights.h5"
	saveArrays   = ", and save its arrays with safetensors.numpy.save_file"
	saveByTorch  = ", and save its state_dict with torch.save"
	unpackFirst  = ": unpack it first"
	notRead      = ", which wfs does not read"
	aDownload    = ": a download failed"
	tfCheckpoint = "it is a part of a checkpoint of TensorFlow" + saveByKeras
)

// signatures are the beginnings of files that people take for weights.
var signatures = []struct{ magic, what string }{
	{lfsPointer, "it is a git-lfs pointer: run `git lfs pull` to fetch the file itself"},
	{"lmgg", "it is GGML, older than GGUF" + notRead},
	{"ggml", "it is GGML, older than GGUF" + notRead},
	{"tjgg", "it is GGML, older than GGUF" + notRead},
	{"fmgg", "it is GGML, older than GGUF" + notRead},
	{"algg", "it is a LoRA for GGML" + notRead},
	{"\x1f\x8b", "it is compressed with gzip" + unpackFirst},
	{"\xfd7zXZ\x00", "it is compressed with xz" + unpackFirst},
	{"\x5d\x00\x00", "it is compressed with lzma" + unpackFirst},
	{"\x28\xb5\x2f\xfd", "it is compressed with zstd" + unpackFirst},
	{"\x04\x22\x4d\x18", "it is compressed with lz4" + unpackFirst},
	{"\x02\x21\x4c\x18", "it is compressed with lz4" + unpackFirst},
	{"\xff\x06\x00\x00sNaPpY", "it is compressed with snappy" + unpackFirst},
	{"LZIP\x01", "it is compressed with lzip" + unpackFirst},
	{"\x89LZO\x00", "it is compressed with lzop" + unpackFirst},
	{"\x1f\x9d", "it is compressed with compress" + unpackFirst},
	{"MSCF\x00\x00\x00\x00", "it is a cabinet of Windows" + unpackFirst},
	{"BZh", "it is compressed with bzip2" + unpackFirst},
	{"\x78\x01", zlibStream}, {"\x78\x5e", zlibStream}, {"\x78\x9c", zlibStream}, {"\x78\xda", zlibStream},
	{"7z\xbc\xaf\x27\x1c", "it is a 7z archive" + unpackFirst},
	{"Rar!\x1a\x07", "it is a RAR archive" + unpackFirst},
	{"PK\x07\x08", "it is a part of a split zip file: join and unpack it first"},
	{"PK\x05\x06", "it is an empty zip file"},
	{"PYTORCH1", "it is of a preview of torch 1.0 that no release reads"},
	{"MATLAB 5.0 MAT-file", "it is a MATLAB 5 file: load it with scipy.io.loadmat" + saveArrays + ", or save it with -v7.3, which is HDF5"},
	{"ZF0x", "it is a joblib file of an old version: load it with joblib.load" + saveArrays},
	{"\x04\x00\x00\x00\x01\x00\x00\x00", "it is a file of Torch 7 (Lua): convert it there"},
	{"\x12\x01\x00\x00\x00\x00\x00\x00", "it is of MXNet: load it with mxnet.nd.load" + saveArrays},
	{"\xba\x16\x4f\x2f", "it is a model of fastText: load it there" + saveArrays},
	{"CBM1", "it is a model of CatBoost: trees, and no tensors"},
	{"tree\nversion=", "it is a model of LightGBM: trees, and no tensors"},
	{"binf", "it is a model of XGBoost: trees, and no tensors"},
	{"ftrt", "it is an engine of TensorRT: mount what it was built from"},
	{"ptrt", "it is an engine of TensorRT: mount what it was built from"},
	{"7767517", "it is the graph of an ncnn model: its weights are in the .bin beside it" + notRead},
	{"model_checkpoint_path:", "it names the latest checkpoint of TensorFlow" + saveByKeras},
	{"SQLite format 3\x00", "it is an SQLite database"},
	{"PAR1", "it is Parquet: a data set, and no weights"},
	{"ARROW1", "it is Arrow: a data set, and no weights"},
	{"\x0e\x03\x13\x01", "it is HDF4, and wfs reads HDF5: convert it with h4toh5"},
	{"CDF", "it is NetCDF 3: load it with scipy.io.netcdf_file" + saveArrays},
	{"\x89PNG", "it is a PNG image"},
	{"\xff\xd8\xff", "it is a JPEG image"},
	{"GIF8", "it is a GIF image"},
	{"RIFF", "it is sound, a film or a WebP image"},
	{"OggS", "it is sound or a film"},
	{"%PDF", "it is a PDF"},
	{"\x7fELF", "it is a program"},
	{"MZ", "it is a program of Windows"},
	{"\xcf\xfa\xed\xfe", "it is a program of macOS"},
	{"\xca\xfe\xba\xbe", "it is a program of macOS or Java"},
	{"#!", "it is a script"},
	{"<!DOCTYPE", "it is an HTML page" + aDownload},
	{"<!doctype", "it is an HTML page" + aDownload},
	{"<html", "it is an HTML page" + aDownload},
	{"<?xml version=\"1.0\"?>\n<net", "it is the graph of an OpenVINO model: its weights are in the .bin beside it" + notRead},
	{"<?xml", "it is XML"},
	{"bplist00", "it is a property list of macOS"},
}

const zlibStream = "it is compressed with zlib, as joblib does it: load it with joblib.load" + saveArrays

// fifth are the names of FlatBuffers, which stand after four bytes.
var fifth = map[string]string{
	"TFL3": "it is TensorFlow Lite" + notRead,
	"PTMF": "it is a model of PyTorch Mobile: load it with torch.jit.load" + saveByTorch,
	"ET12": "it is a program of ExecuTorch: mount what it was exported from",
	"ORTM": "it is a model of ONNX Runtime" + notRead,
}

var (
	// tableEnd ends the index of a checkpoint of TensorFlow, which is a table of LevelDB.
	tableEnd = []byte("\x57\xfb\x80\x8b\x24\x75\x47\xdb")
	// tfData is a file of it that has bytes of arrays and nothing else.
	tfData = regexp.MustCompile(`\.data-\d{5}-of-\d{5}$`)
	// joblib is the class that stands before an array's raw bytes in a pickle.
	joblib = []byte("joblib.numpy_pickle")
)

// unknown says what a file is that no reader knows, from its first bytes.
func unknown(src source.Source, prefix []byte) string {
	if len(prefix) == 0 {
		return "it is empty"
	}
	for _, s := range signatures {
		if bytes.HasPrefix(prefix, []byte(s.magic)) {
			return s.what
		}
	}
	if len(prefix) >= 8 && fifth[string(prefix[4:8])] != "" {
		return fifth[string(prefix[4:8])]
	}
	if tfData.MatchString(src.Name()) || endsWith(src, tableEnd) {
		return tfCheckpoint
	}
	switch {
	case len(bytes.Trim(prefix, "\x00")) == 0:
		return "it begins with zeros: a download is unfinished"
	case isMsgpack(prefix):
		return "it is msgpack, as Flax writes it: transformers before version 5 loads it (from_flax=True)"
	case prefix[0] == '\n' && bytes.Contains(prefix, []byte("<unk>")):
		return "it is a tokenizer of SentencePiece: mount its directory"
	}
	if what := protobuf(prefix); what != "" {
		return what
	}
	if !isText(prefix) {
		return fmt.Sprintf("it begins with % x", prefix[:min(8, len(prefix))])
	}
	switch text := bytes.TrimLeft(prefix, " \t\r\n"); {
	case bytes.Contains(prefix, []byte(`"weight_map"`)):
		return "it is an index of shards, and has no name of one: give it the ending .index.json"
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "it is JSON, and no weights: mount its directory, or the weights beside it"
	}
	return "it is text"
}

// isText reports whether bytes are UTF-8, but for a character at the end that is cut, and
// what text has of control characters.
func isText(b []byte) bool {
	if bytes.ContainsFunc(b, func(r rune) bool { return r < '\t' || r > '\r' && r < ' ' && r != '\x1b' }) {
		return false
	}
	for cut := 0; cut < utf8.UTFMax && cut < len(b); cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return true
		}
	}
	return false
}

// endsWith reports whether a file ends with magic.
func endsWith(src segment.Data, magic []byte) bool {
	end := make([]byte, len(magic))
	at := src.Size() - int64(len(magic))
	return at >= 0 && segment.ReadFull(src, end, at) == nil && bytes.Equal(end, magic)
}

// searched is how much of a pickle is searched for what it is of.
const searched = 64 << 10

// explain says what a file is that looked like torch's and is not, "" where it may be.
// err is why it could not be read.
func explain(src source.Source, err error, cache *deflate.Cache) string {
	head := make([]byte, min(searched, src.Size()))
	if segment.ReadFull(src, head, 0) != nil {
		return ""
	}
	switch {
	case torch.IsZip(head) && errors.Is(err, torch.ErrNoPickle):
		return describeZip(src, cache)
	case torch.IsZip(head):
	case torch.IsTar(head) && errors.Is(err, torch.ErrNoPickle):
		return describeTar(src)
	case torch.IsTar(head):
	case bytes.Contains(head, joblib):
		return "it is a joblib file with arrays: load it with joblib.load" + saveArrays
	}
	return ""
}
