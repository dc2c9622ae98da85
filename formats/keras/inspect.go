package keras

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf16"

	"wfs/formats/hdf5"
	"wfs/formats/segment"
)

// Inspection is what an HDF5 file holds besides numbers.
type Inspection struct {
	// Findings is what loading the configurations in it would run or import.
	Findings []Finding
	// Unread is what could not be looked into: one line each, maxUnread at most, and one more.
	Unread []string
	unread int
	text   func(where string, data segment.Data)
	config []config
}

const (
	maxUnread = 20
	// maxTexts is the most bytes of a dataset of strings that are looked into.
	maxTexts = 256 << 20
)

// Inspect goes over an HDF5 file. Each text of an attribute or a dataset, and all else that
// is single bytes, goes to text with the place where it lies: HDF5 has no pickles, but PyTables
// and pandas keep them in attributes and arrays of bytes, and load them from there.
func Inspect(file segment.Data, text func(where string, data segment.Data)) (*Inspection, error) {
	f, err := hdf5.Open(file, file.Size(), hdf5.Options{Cache: hdf5.NewChunkCache(hdf5.DefaultCacheSize)})
	if err != nil {
		return nil, err
	}
	i := &Inspection{text: text}
	root, err := f.Root()
	if err != nil {
		return nil, err
	}
	if err := i.attributes("", root); err != nil {
		return nil, err
	}
	err = f.Walk(func(path string, obj hdf5.Object) error {
		switch o := obj.(type) {
		case *hdf5.Unreachable:
			if o.Err != nil {
				i.miss("object %q: %v", "/"+path, o.Err)
			}
			return nil
		case *hdf5.Dataset:
			if err := i.dataset(path, o); err != nil {
				return err
			}
		}
		return i.attributes(path, obj)
	})
	if err != nil {
		return nil, err
	}
	i.Findings = judge(i.config)
	if i.unread > maxUnread {
		i.Unread = append(i.Unread, fmt.Sprintf("%d more objects and attributes are not looked into", i.unread-maxUnread))
	}
	return i, nil
}

// miss remembers what is not looked into.
func (i *Inspection) miss(format string, args ...any) {
	if i.unread++; i.unread <= maxUnread {
		i.Unread = append(i.Unread, fmt.Sprintf(format, args...)+": it is not looked into")
	}
}

// missed takes an error of one object; only the source's own ends the walk.
func (i *Inspection) missed(err error, what, name string) error {
	var broken *hdf5.FormatError
	var unsupported *hdf5.UnsupportedError
	if errors.As(err, &broken) || errors.As(err, &unsupported) {
		i.miss("%s %q: %v", what, name, err)
		return nil
	}
	return fmt.Errorf("%s %q: %w", what, name, err)
}

// attributes looks at all attributes of an object.
func (i *Inspection) attributes(path string, obj hdf5.Object) error {
	list, err := obj.Attrs()
	if err != nil {
		return i.missed(err, "the attributes of", "/"+path)
	}
	for n := range list {
		a := &list[n]
		name := "/" + path + "@" + a.Name
		if path == "" && (a.Name == "model_config" || a.Name == "training_config") {
			i.config = append(i.config, configOf(a.Name, valueOf(a)))
		}
		switch {
		case a.Null:
		case a.Dtype.HasTexts():
			texts, err := a.Texts()
			if err != nil {
				if err := i.missed(err, "attribute", name); err != nil {
					return err
				}
				continue
			}
			for _, text := range texts {
				i.text(fmt.Sprintf("attribute %q", name), segment.Literal(text))
			}
		case isByte(&a.Dtype):
			i.text(fmt.Sprintf("attribute %q", name), segment.Literal(a.Bytes()))
		}
		if a.Dtype.HidesTexts() {
			i.miss("attribute %q: %s", name, a.Dtype.Reason)
		}
	}
	return nil
}

func isByte(t *hdf5.Datatype) bool {
	return t.Size == 1 && (t.Kind == hdf5.KindUint || t.Kind == hdf5.KindInt)
}

// dataset looks at a dataset of texts, or of bytes.
func (i *Inspection) dataset(path string, d *hdf5.Dataset) error {
	where := fmt.Sprintf("dataset %q", "/"+path)
	switch {
	case d.Null:
	case d.Dtype.HasTexts():
		texts, err := d.Texts(maxTexts)
		if err != nil {
			return i.missed(err, "dataset", "/"+path)
		}
		for _, text := range texts {
			i.text(where, segment.Literal(text))
		}
	case isByte(&d.Dtype):
		if reason := d.Unsupported(); reason != "" {
			i.miss("%s: %s", where, reason)
			return nil
		}
		i.text(where, d)
	}
	if d.Dtype.HidesTexts() {
		i.miss("%s: %s", where, d.Dtype.Reason)
	}
	return nil
}

// escapedLetter is a letter that a writer of JSON need not escape.
var escapedLetter = regexp.MustCompile(`\\u00(5[fF]|6[0-9a-fA-F]|7[0-9a-fA-F])`)

// Configuration is what loading a model by the text of its configuration would run or
// import: nothing where it is not of Keras. An unpacked .keras file has one, and so do files
// that model.to_json made.
func Configuration(where string, data segment.Data) []Finding {
	if data.Size() > maxConfig {
		return nil
	}
	text := make([]byte, data.Size())
	if segment.ReadFull(data, text, 0) != nil {
		return nil
	}
	text = decodeJSON(text)
	if !bytes.Contains(text, []byte(`"class_name"`)) && !escapedLetter.Match(text) {
		return nil
	}
	var object map[string]any
	if json.Unmarshal(text, &object) == nil && (object["class_name"] == nil || object["config"] == nil) {
		return nil
	}
	return judge([]config{{where: where, text: string(text)}})
}

// MayBeJSON reports whether bytes begin with an object of JSON, in any of the encodings that
// Python's json reads.
func MayBeJSON(head []byte) bool {
	text := bytes.TrimLeft(decodeJSON(head[:len(head)&^3]), " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}

// decodeJSON makes text UTF-8 as Python's json.detect_encoding does.
func decodeJSON(b []byte) []byte {
	width, order := 1, binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return b[3:]
	case len(b) >= 4 && (b[0] == 0 && b[1] == 0 || bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")) || b[1] == 0 && b[2] == 0 && b[3] == 0):
		width = 4
	case len(b) >= 2 && (b[0] == 0 || b[1] == 0 || bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))):
		width = 2
	}
	if len(b) > 0 && (b[0] == 0 || b[0] == 0xfe) {
		order = binary.BigEndian
	}
	var runes []rune
	switch width {
	case 1:
		return b
	case 2:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = order.Uint16(b[2*i:])
		}
		runes = utf16.Decode(units)
	case 4:
		for ; len(b) >= 4; b = b[4:] {
			runes = append(runes, rune(order.Uint32(b)))
		}
	}
	return bytes.TrimPrefix([]byte(string(runes)), []byte("\ufeff"))
}
