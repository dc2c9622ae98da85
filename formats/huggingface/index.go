package huggingface

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// Bounds of an index: 200 000 tensors with long names take 40 MB.
const (
	maxIndex   = 64 << 20
	maxPlaces  = 1 << 20
	maxNesting = 100
)

// detectIndex looks for weight_map at the beginning of a JSON file.
func detectIndex(p checkpoint.Place) checkpoint.Match {
	if !strings.EqualFold(path.Ext(p.Name), ".json") {
		return checkpoint.No
	}
	head := headOf(p)
	if bytes.HasPrefix(head, []byte("{")) && (indexName.MatchString(p.Name) || bytes.Contains(head, []byte(`"weight_map"`))) {
		return checkpoint.Certain
	}
	return checkpoint.No
}

// headOf is the beginning of a text file, without white space in front.
func headOf(p checkpoint.Place) []byte {
	src, err := p.Dir.Open(p.Name)
	if err != nil {
		return nil
	}
	defer src.Close()
	return bytes.TrimLeft(segment.Head(src, 4096), " \n\r\t")
}

// readShards reads the index file of shards: their names, sorted, and the name for each
// tensor. Keras's index has the name, or several, for the variables of a layer instead:
// {"weight_map": {"/layers/dense/vars": ["model_00000.weights.h5"]}}
// (keras/src/saving/saving_lib.py, ShardedH5IOStore).
func readShards(src source.Source, kind kind) (names []string, places map[string]string, err error) {
	if kind == kerasIndex {
		names, err = readKerasIndex(src)
		return names, nil, err
	}
	places, err = readIndex(src)
	return slices.Compact(slices.Sorted(maps.Values(places))), places, err
}

// readIndex reads weight_map: the file of each key.
func readIndex(src source.Source) (map[string]string, error) {
	var places map[string]string
	err := readWeightMap(src, func(d *indexReader) (err error) {
		places, err = d.places()
		return err
	})
	return places, err
}

// readKerasIndex reads the files that weight_map has.
func readKerasIndex(src source.Source) ([]string, error) {
	names := map[string]bool{}
	err := readWeightMap(src, func(d *indexReader) error {
		return d.object(func(string) error {
			t, err := d.Token()
			switch {
			case err == nil && t == json.Delim('['):
				for t, err = d.Token(); err == nil && t != json.Delim(']'); t, err = d.Token() {
					name, ok := t.(string)
					if !ok {
						return errPlace
					}
					names[name] = true
				}
			case err == nil:
				name, ok := t.(string)
				if !ok {
					return errPlace
				}
				names[name] = true
			}
			if len(names) > maxFiles {
				return fmt.Errorf("it names more than %d files", maxFiles)
			}
			return err
		})
	})
	return slices.Sorted(maps.Keys(names)), err
}

// errPlace is a weight_map of something else.
var errPlace = errors.New("weight_map holds something else than names of files")

// readWeightMap reads an index file, and weight_map in it by read.
func readWeightMap(src source.Source, read func(*indexReader) error) error {
	if src.Size() > maxIndex {
		return fmt.Errorf("the index is larger than %d bytes", maxIndex)
	}
	d := &indexReader{json.NewDecoder(io.NewSectionReader(src, 0, src.Size()))}
	seen := false
	err := d.object(func(key string) error {
		if key != "weight_map" {
			return d.skip()
		}
		if seen {
			return errors.New("it has two of weight_map")
		}
		seen = true
		return read(d)
	})
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		err = errors.New("something follows it")
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the index is not the JSON of an index: %w", err)
}

// indexReader reads JSON token by token: what the index holds beside weight_map is
// not kept.
type indexReader struct{ *json.Decoder }

// object calls field for each key, with the decoder before the value.
func (d *indexReader) object(field func(key string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return or(err, "an object is missing")
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return or(err, "a key is not a string")
		}
		if err := field(key); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (d *indexReader) places() (map[string]string, error) {
	places := map[string]string{}
	files := map[string]string{} // each name once in memory
	return places, d.object(func(key string) error {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return or(err, errPlace.Error())
		}
		if files[name] == "" {
			files[name] = name
		}
		if other, twice := places[key]; twice && other != name {
			return fmt.Errorf("it places tensor %.200q in %.200q and in %.200q", key, other, name)
		}
		if places[key] = files[name]; len(places) > maxPlaces {
			return fmt.Errorf("it has more than %d tensors", maxPlaces)
		}
		return nil
	})
}

// skip passes over a value.
func (d *indexReader) skip() error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxNesting {
				return errors.New("it is nested too deep")
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// or is err, or the text where there is none.
func or(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
