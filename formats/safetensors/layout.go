package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// dataAlign is what the data of a synthesized file begins at a multiple of, so that
// every tensor of a mapped view is aligned to its elements.
const dataAlign = 4096

// Layout is a synthesized file: the header and, after it, the tensors by the
// width of their elements, widest first, then by name, as the reference writer does.
type Layout struct {
	tensors  []checkpoint.Entry
	metadata map[string]string
	renamed  map[*checkpoint.Tensor]string
	header   int64 // bytes before the data, the eight of the length included
	size     int64
}

// NewLayout lays out tensors. Those whose dtype the format does not have are left
// out, and returned with the reason.
func NewLayout(tensors []checkpoint.Entry, metadata map[string]string) (*Layout, []checkpoint.Omitted, error) {
	l := &Layout{metadata: metadata, tensors: make([]checkpoint.Entry, 0, len(tensors))}
	var omitted []checkpoint.Omitted
	for _, t := range tensors {
		if !t.DType.InSafetensors() {
			omitted = append(omitted, checkpoint.Omitted{Key: t.Key, Reason: fmt.Sprintf("safetensors has no dtype %s", t.DType)})
			continue
		}
		l.tensors = append(l.tensors, t)
	}
	l.rename()
	slices.SortFunc(l.tensors, func(a, b checkpoint.Entry) int {
		if a.DType != b.DType {
			return int(b.DType) - int(a.DType)
		}
		return strings.Compare(a.Key, b.Key)
	})
	var length counter
	if err := l.writeHeader(&length); err != nil {
		return nil, nil, err
	}
	l.header = (8 + int64(length) + dataAlign - 1) / dataAlign * dataAlign
	if l.header-8 > maxHeader {
		return nil, nil, fmt.Errorf("the view's header would have %d bytes, the format allows %d (--layout tensors makes no view)", l.header-8, maxHeader)
	}
	l.size = l.header
	for _, t := range l.tensors {
		if l.size += t.Data.Size(); l.size < 0 {
			return nil, nil, fmt.Errorf("the view would be larger than a file can be")
		}
	}
	return l, omitted, nil
}

// rename gives the tensors the keys that the header can hold.
func (l *Layout) rename() {
	for i, key := range HeaderKeys(l.tensors) {
		t := &l.tensors[i]
		if t.Key != key {
			if l.renamed == nil {
				l.renamed = map[*checkpoint.Tensor]string{}
			}
			t.Key = key
			l.renamed[t.Tensor] = key
		}
	}
}

// HeaderKeys are the keys that a header has for tensors, in their order: their own, except
// where a header cannot hold that. It has a coded form then, with a '%' appended for as long
// as another tensor has that name.
func HeaderKeys(tensors []checkpoint.Entry) []string {
	keys := make([]string, len(tensors))
	var coded []int
	for i, t := range tensors {
		if keys[i] = t.Key; headerKey(t.Key) != t.Key {
			coded = append(coded, i)
		}
	}
	if len(coded) == 0 {
		return keys
	}
	taken := map[string]bool{}
	for _, t := range tensors {
		taken[t.Key] = true
	}
	for _, i := range coded {
		keys[i] = headerKey(keys[i])
		for taken[keys[i]] {
			keys[i] += "%"
		}
		taken[keys[i]] = true
	}
	return keys
}

// Renamed is the keys in the header that are not the tensors' own.
func (l *Layout) Renamed() map[*checkpoint.Tensor]string { return l.renamed }

// headerKey is a key as JSON can hold it: bytes that are not UTF-8 are percent-coded,
// and a tensor cannot be called __metadata__ (safetensors#849).
func headerKey(key string) string {
	if key == "__metadata__" {
		return "%5F_metadata__"
	}
	if utf8.ValidString(key) {
		return key
	}
	var b strings.Builder
	for len(key) > 0 {
		r, n := utf8.DecodeRuneInString(key)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "%%%02X", key[0])
		} else {
			b.WriteString(key[:n])
		}
		key = key[n:]
	}
	return b.String()
}

// hubHeader is the longest header that the Hub and its client read
// (huggingface_hub/constants.py, SAFETENSORS_MAX_HEADER_LENGTH).
const hubHeader = 25_000_000

// Note is a remark on a file that some programs will not read, "" for others.
func (l *Layout) Note() string {
	if l.header-8 <= hubHeader {
		return ""
	}
	return fmt.Sprintf("the view's header has %d bytes: the Hugging Face Hub reads no more than %d", l.header-8, hubHeader)
}

// Size is the bytes of the whole file.
func (l *Layout) Size() int64 { return l.size }

// DataSize is the bytes of its tensors, the total_size of an index.
func (l *Layout) DataSize() int64 { return l.size - l.header }

// Keys is the names in the header, in its order.
func (l *Layout) Keys() []string {
	keys := make([]string, len(l.tensors))
	for i, t := range l.tensors {
		keys[i] = t.Key
	}
	return keys
}

// File makes the bytes readable. Of the header it holds the text, of the tensors
// nothing.
func (l *Layout) File() (segment.Data, error) {
	header := make(buffer, 8, l.header)
	binary.LittleEndian.PutUint64(header, uint64(l.header-8))
	if err := l.writeHeader(&header); err != nil {
		return nil, err
	}
	for int64(len(header)) < l.header {
		header = append(header, ' ')
	}
	parts := make([]segment.Data, 0, len(l.tensors)+1)
	parts = append(parts, segment.Literal(header))
	for _, t := range l.tensors {
		parts = append(parts, t.Data)
	}
	return segment.NewList(parts...)
}

func (l *Layout) writeHeader(out io.Writer) error {
	const full = 64 << 10
	b := append(make([]byte, 0, full+4096), `{"__metadata__":{`...)
	for i, key := range slices.Sorted(maps.Keys(l.metadata)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(appendText(b, key), ':'), l.metadata[key])
	}
	b = append(b, '}')
	at := int64(0)
	for _, t := range l.tensors {
		if len(b) > full {
			if _, err := out.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		b = appendText(append(b, ','), t.Key)
		b = append(append(append(b, `:{"dtype":"`...), t.DType.String()...), `","shape":[`...)
		for i, n := range t.Shape {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, n, 10)
		}
		b = strconv.AppendInt(append(b, `],"data_offsets":[`...), at, 10)
		at += t.Data.Size()
		b = append(strconv.AppendInt(append(b, ','), at, 10), `]}`...)
	}
	_, err := out.Write(append(b, '}'))
	return err
}

// appendText appends a JSON string. Most keys need no escape.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			return appendEscaped(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendEscaped(b []byte, s string) []byte {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(b, `""`...) // a string always encodes
	}
	return append(b, strings.TrimSuffix(text.String(), "\n")...)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

type buffer []byte

func (b *buffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }
