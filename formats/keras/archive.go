package keras

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// weightsMember is the HDF5 file in a .keras file (keras/src/saving/saving_lib.py, _VARS_FNAME_H5).
const weightsMember = "model.weights.h5"

// isArchive reports whether the file is a zip file with the members of a .keras file.
// They may lie in it in any order and beside others, as Keras finds them by their names
// (saving_lib.py, _load_model_from_fileobj): files that were unpacked, edited and packed
// again have directories and assets first.
func isArchive(prefix []byte, file segment.Data) bool {
	if !bytes.HasPrefix(prefix, []byte(zip.Magic)) || file.Size() == 0 {
		return false
	}
	z, err := zip.Open(file, nil)
	if err != nil {
		return startsAsKeras(prefix)
	}
	found := 0
	for i := range z.Records {
		switch z.Records[i].Name {
		case weightsMember, "config.json", "metadata.json":
			found++
		}
	}
	return found >= 2
}

// startsAsKeras looks at the name of the first member, where Keras itself writes one of
// these: all that can be seen of a file that lost its end.
func startsAsKeras(prefix []byte) bool {
	const nameAt = 30
	if !bytes.HasPrefix(prefix, []byte(zip.Magic)) || len(prefix) < nameAt {
		return false
	}
	for _, name := range []string{"metadata.json", "config.json", weightsMember} {
		if bytes.HasPrefix(prefix[nameAt:], []byte(name)) && int(prefix[26])|int(prefix[27])<<8 == len(name) {
			return true
		}
	}
	return false
}

// maxAssets bounds the members that are passed through.
const maxAssets = 10000

// openZip finds the HDF5 member. What Keras reads of a directory (saving_lib.py,
// _load_model_from_dir) is passed through, so that it loads the model from the mount too:
// that member itself, the configuration, and assets such as vocabularies.
func (w *walker) openZip(src source.Source, inflated *deflate.Cache) (segment.Data, error) {
	z, err := zip.Open(src, inflated)
	if err != nil {
		return nil, err
	}
	var weights segment.Data
	seen := map[string]bool{}
	for i := range z.Records {
		rec := &z.Records[i]
		if seen[rec.Name] { // Python's zipfile takes the last, others the first
			return nil, fmt.Errorf("member %s occurs twice", rec.Name)
		}
		seen[rec.Name] = true
	}
	assets := assetNames(seen)
	for i := range z.Records {
		rec := &z.Records[i]
		configuration := rec.Name == "config.json" || rec.Name == "metadata.json"
		switch {
		case strings.HasSuffix(rec.Name, "/") && rec.Size == 0:
			continue
		case rec.Name != weightsMember && !configuration && !assets[rec.Name]:
			w.omit(rec.Name, "member that holds no weights")
			continue
		}
		data, err := z.Data(rec)
		switch {
		case err != nil && assets[rec.Name]:
			w.omit(rec.Name, err.Error())
			continue
		case err != nil:
			return nil, err
		case rec.Name == weightsMember:
			weights = data
		case configuration:
			if data.Size() > maxConfig {
				return nil, fmt.Errorf("member %s has %d bytes, wfs reads %d", rec.Name, data.Size(), maxConfig)
			}
			text := make([]byte, data.Size())
			if err := segment.ReadFull(data, text, 0); err != nil {
				return nil, err
			}
			if rec.Name == "config.json" {
				w.configs = append(w.configs, config{where: rec.Name, text: string(text)})
			}
			data = segment.Literal(text)
		}
		member := source.NewMemory(rec.Name, data, src)
		w.out.Files = append(w.out.Files, checkpoint.File{Path: rec.Name, Source: member})
	}
	if weights == nil {
		return nil, fmt.Errorf("it holds no %s", weightsMember)
	}
	return weights, nil
}

// assetNames are the members below assets/ that can be files of a directory.
func assetNames(names map[string]bool) map[string]bool {
	assets := map[string]bool{}
	for name := range names {
		if strings.HasPrefix(name, "assets/") && path.Clean(name) == name && !strings.ContainsAny(name, "\\\x00") {
			assets[name] = true
		}
	}
	for name := range assets {
		long := false
		for _, part := range strings.Split(name, "/") {
			long = long || len(part) > 255
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			long = long || names[dir] // a file where a directory must be
		}
		if long || len(name) > 1024 {
			delete(assets, name)
		}
	}
	if len(assets) > maxAssets {
		return nil
	}
	return assets
}
