package formats

import (
	"archive/tar"
	"fmt"
	"io"
	"regexp"
	"strings"

	"wfs/formats/deflate"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/torch"
	"wfs/formats/zip"
)

// contents are archives by a member that only they have. What follows "it is" comes first.
var contents = []struct {
	member *regexp.Regexp
	what   string
}{
	{regexp.MustCompile(`(^|/)\.data/(extern_modules|python_version)$`), "a package of torch.package: load the model with torch.package.PackageImporter" + saveByTorch},
	{regexp.MustCompile(`^MAR-INF/`), "an archive of TorchServe"},
	{regexp.MustCompile(`^[^/]+/model\.json$`), "TorchScript of torch before 1.4: load it with torch.jit.load, and save it with torch.jit.save"},
	{regexp.MustCompile(`^_?stable[-_]baselines3?_version`), "an archive of Stable Baselines"},
	{regexp.MustCompile(`(^|/)saved_model\.pb$`), "an archive of a SavedModel of TensorFlow" + saveByKeras},
	{regexp.MustCompile(`(^|/)com\.apple\.CoreML/`), "an archive of a Core ML model" + notRead},
	{regexp.MustCompile(`^schema\.json$`), "a file of skops: load it with skops.io.load" + saveArrays},
	{regexp.MustCompile(`^model_config\.yaml$`), "an archive of NeMo"},
	{regexp.MustCompile(`^\[Content_Types\]\.xml$`), "a document of an office program"},
	{regexp.MustCompile(`^AndroidManifest\.xml$`), "an Android app"},
	{regexp.MustCompile(`^META-INF/MANIFEST\.MF$`), "a Java archive"},
	{regexp.MustCompile(`\.distcp$`), "an archive of a distributed checkpoint of torch"},
}

var (
	// weight is a member that may be weights.
	weight = regexp.MustCompile(`(?i)\.(safetensors|sft|bin|pt|pth|ckpt|h5|hdf5|keras|nemo|tar|zip|pkl|gguf|onnx|msgpack)$`)
	// ofTorch are members of a torch file: one without a pickle is torch's and unfinished.
	ofTorch = regexp.MustCompile(`^([^/]+/)?(data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)$`)
)

// members is what is known of an archive by the names in it.
type members struct {
	kind            string // "a zip file"
	count           int
	torch           bool
	what            string
	weights, others []string
}

// maxNamed is how many members a message names.
const maxNamed = 3

// add looks at one name.
func (m *members) add(name string) {
	name = strings.TrimPrefix(name, "./")
	if name == "" || strings.HasSuffix(name, "/") {
		return
	}
	m.count++
	m.torch = m.torch || ofTorch.MatchString(name)
	for _, c := range contents {
		if m.what == "" && c.member.MatchString(name) {
			m.what = c.what
		}
	}
	switch {
	case weight.MatchString(name) && len(m.weights) <= maxNamed:
		m.weights = append(m.weights, name)
	case len(m.others) <= maxNamed:
		m.others = append(m.others, name)
	}
}

// describe says what the archive is and what to do with it, "" where it may be torch's.
func (m *members) describe() string {
	switch {
	case m.count == 0:
		return "it is " + m.kind + " with nothing in it"
	case strings.Contains(m.what, ": ") || strings.Contains(m.what, notRead): // it says what to do
		return "it is " + m.what
	case m.what != "" && len(m.weights) > 0:
		return "it is " + m.what + " with " + named(m.weights) + " in it" + unpackFirst
	case m.what != "":
		return "it is " + m.what
	case len(m.weights) > 0:
		return "it is " + m.kind + " with " + named(m.weights) + " in it" + unpackFirst
	case m.torch:
		return ""
	}
	return "it is " + m.kind + " without weights, with " + named(m.others) + " in it"
}

// named is the first of names, for a message.
func named(names []string) string {
	var list []string
	for _, name := range names[:min(len(names), maxNamed)] {
		list = append(list, source.Printable(name))
	}
	if len(names) > maxNamed {
		return strings.Join(list, ", ") + " and more"
	}
	return strings.Join(list, ", ")
}

// describeZip looks at the records of a zip file.
func describeZip(src segment.Data, cache *deflate.Cache) string {
	z, err := zip.Open(src, cache)
	if err != nil {
		return ""
	}
	m := &members{kind: "a zip file"}
	for i := range z.Records {
		m.add(z.Records[i].Name)
	}
	return m.describe()
}

// describeTar looks at the first members of a tar archive.
func describeTar(src segment.Data) string {
	m := &members{kind: "a tar archive"}
	archive := tar.NewReader(io.NewSectionReader(src, 0, src.Size()))
	for range torch.MaxTarMembers {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Sprintf("it is %s that cannot be read: %.200s", m.kind, err)
		}
		if h.Typeflag == tar.TypeReg {
			m.add(h.Name)
		}
	}
	return m.describe()
}
