package pickle

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"wfs/formats/segment"
)

// Bounds of what is looked for inside bytes and text.
const (
	minPayload  = 6 // bytes: the shortest pickle that names something, "ca\nb\n."
	maxPayloads = 100_000
	// maxDecoded is the longest text that is decoded in memory.
	maxDecoded = 64 << 20
	// tailSize is how far before the end of bytes the end record of a zip is looked for.
	tailSize = 1 << 10
)

// Payload is bytes, or text that stands for bytes, which may be a pickle or a file of
// pickles themselves.
type Payload struct {
	Off, Len int64
	// Data is the bytes when they are not those of the file at Off.
	Data []byte
	// Encoding is what stands between Data, or what lies at Off, and the bytes.
	Encoding Encoding
	// Certain reports whether it is the argument of a function that reads pickles.
	Certain bool
}

// Encoding is how bytes are written in a pickle.
type Encoding uint8

// The encodings.
const (
	Bare          Encoding = iota // as they are
	AsLatin1                      // text of which each character is a byte
	AsBase64                      // text, or bytes, in base64
	AsStringLine                  // the argument of STRING
	AsUnicodeLine                 // the argument of UNICODE
)

// Open makes the payload of a pickle in data readable. What is decoded whole is bounded.
func (p *Payload) Open(data segment.Data) (segment.Data, error) {
	var inner segment.Data = &segment.Range{Src: data, Off: p.Off, N: p.Len}
	if p.Data != nil {
		inner = segment.Literal(p.Data)
	}
	switch p.Encoding {
	case Bare:
		return inner, nil
	case AsLatin1:
		return Latin1(inner)
	}
	if inner.Size() > maxDecoded {
		return nil, Limitf("text of %d bytes, wfs decodes %d", inner.Size(), maxDecoded)
	}
	text := make([]byte, inner.Size())
	if err := segment.ReadFull(inner, text, 0); err != nil {
		return nil, err
	}
	switch p.Encoding {
	case AsBase64:
		decoded, err := DecodeBase64(string(text))
		return segment.Literal(decoded), err
	case AsStringLine:
		decoded, err := unquote(string(text))
		return segment.Literal(decoded), err
	case AsUnicodeLine:
		decoded, err := unescapeUnicode(string(text))
		if err != nil {
			return nil, err
		}
		if bytes, err := Latin1(segment.Literal(decoded)); err == nil {
			return bytes, nil
		}
		return segment.Literal(decoded), nil
	}
	return nil, fmt.Errorf("encoding %d", p.Encoding)
}

// DecodeBase64 reads base64 in either alphabet, with or without padding and line ends.
func DecodeBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("\n", "", "\r", "", " ", "", "-", "+", "_", "/").Replace(text)
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

// payload remembers p under key.
func (m *machine) payload(key payloadKey, p Payload) {
	if m.known[key] {
		return
	}
	if len(m.res.Payloads) == maxPayloads {
		m.anomaly("more than %d values may be pickles: the rest is not looked into", maxPayloads)
		return
	}
	if m.known == nil {
		m.known = map[payloadKey]bool{}
	}
	m.known[key] = true
	m.res.Payloads = append(m.res.Payloads, p)
	m.budget -= 2*costObject + int64(len(p.Data))
}

// worthALook reports whether bytes that begin with head, of size in all, may be pickles
// or a file of them.
func worthALook(head string, size int64) bool {
	if size < minPayload {
		return false
	}
	if HasMagic(head) || len(head) > 1 && head[0] == byte(Proto) && head[1] <= highestProtocol {
		return true
	}
	for rest := head; ; {
		guess, end := GuessAt(rest, size)
		switch {
		case guess == NotPickle:
			return false
		case guess != Plain:
			return true
		case int64(end) == size:
			return false
		}
		rest, size = rest[end:], size-int64(end) // the next pickle
	}
}

// Readings are the ways in which bytes that are no part of a pickle may be one, or a file of
// them: as they are, or as text that stands for bytes. There are none for most bytes.
func Readings(data segment.Data) []Payload {
	head, size := string(Head(data, 0)), data.Size()
	var found []Payload
	add := func(encoding Encoding) { found = append(found, Payload{Len: size, Encoding: encoding}) }
	if worthALook(head, size) {
		add(Bare)
	}
	var decoded [headSize]byte
	if n, ok := latin1Head(decoded[:], head); ok && !isASCII(head) && worthALook(string(decoded[:n]), size) {
		add(AsLatin1)
	}
	if isBase64Payload(head, size) {
		add(AsBase64)
	}
	return found
}

// lookAt decides on bytes or text that begin with head and remembers what may be pickles.
func (m *machine) lookAt(op *Op, head string, data []byte, encoding Encoding) {
	size := op.Len
	if data != nil {
		size = int64(len(data))
	}
	remember := func(encoding Encoding) {
		p := Payload{Off: op.At, Len: op.Len, Data: data, Encoding: encoding}
		if data != nil {
			m.payload(payloadKey{string(data), 0, encoding}, p)
			return
		}
		m.payload(payloadKey{"", op.At, encoding}, p)
	}
	if worthALook(head, size) || encoding <= AsLatin1 && m.endsAsZip(op, data) {
		remember(encoding)
	}
	if encoding == Bare && isBase64Payload(head, size) {
		remember(AsBase64)
	}
}

// payloadKey tells payloads apart: by what they are, or by where they lie.
type payloadKey struct {
	data     string
	at       int64
	encoding Encoding
}

// isBase64Payload reports whether head begins what is worth a look when it is decoded.
func isBase64Payload(head string, size int64) bool {
	const shortest, sample = 16, 4 * (headSize/3 + 1)
	if size < shortest {
		return false
	}
	head = head[:min(len(head), sample)&^3]
	for i := range len(head) {
		if c := head[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte("+/-_=\r\n", c) < 0 {
			return false
		}
	}
	decoded, err := DecodeBase64(head)
	if err != nil || len(decoded) < minPayload {
		return false
	}
	if HasMagic(string(decoded)) || decoded[0] == byte(Proto) && decoded[1] <= highestProtocol {
		return true
	}
	guess, _ := GuessAt(string(decoded), size*3/4)
	return guess == Names
}

// endsAsZip reports whether bytes end like a zip: other bytes may stand before one.
func (m *machine) endsAsZip(op *Op, data []byte) bool {
	const endRecord = "PK\x05\x06"
	switch {
	case data != nil:
		return strings.Contains(string(data), endRecord)
	case op.Held:
		return strings.Contains(op.Text, endRecord)
	}
	tail := make([]byte, min(tailSize, op.Len))
	n, _ := m.scan.r.ReadAt(tail, op.At+op.Len-int64(len(tail)))
	return strings.Contains(string(tail[:n]), endRecord)
}

// payloadBytes looks at the bytes that op pushes.
func (m *machine) payloadBytes(op *Op) {
	switch {
	case op.Code != String:
		m.lookAt(op, op.Text, nil, Bare)
	case op.Held: // decoded: the file's bytes are not the string's
		m.lookAt(op, op.Text, []byte(op.Text), Bare)
	default:
		if head, err := unquote(cutEscape(op.Text) + op.Text[:1]); err == nil {
			m.lookAt(op, head, nil, AsStringLine)
		}
	}
}

// payloadText looks at the text that op pushes: protocols before 3 have bytes as text.
func (m *machine) payloadText(op *Op) {
	head := op.Text
	var data []byte
	encoding := AsLatin1
	if op.Code == Unicode {
		if op.Held {
			data = []byte(op.Text)
		} else {
			var err error
			if head, err = unescapeUnicode(cutEscape(op.Text)); err != nil {
				return
			}
			encoding = AsUnicodeLine
		}
	}
	if isASCII(head) && (encoding != AsLatin1 || op.Held || !HasMagic(head)) {
		if encoding == AsLatin1 { // the text may go on in other characters: both readings are the same to here
			encoding = Bare
		}
		m.lookAt(op, head, data, encoding)
		if op.Held {
			return
		}
		if encoding == Bare {
			encoding = AsLatin1
		}
	}
	var decoded [headSize]byte
	n, ok := latin1Head(decoded[:], head)
	if ok {
		m.lookAt(op, string(decoded[:n]), data, encoding)
	}
	if !isASCII(head) && encoding == AsLatin1 && !HasMagic(head) { // text.encode() gives the bytes as they are
		if guess, _ := GuessAt(head, op.Len); guess != NotPickle {
			m.lookAt(op, head, data, Bare)
		}
	}
}

// cutEscape takes an escape off that the end of a line's head may cut in two.
func cutEscape(line string) string {
	const longest = len(`\U00000000`)
	if i := strings.LastIndexByte(line, '\\'); i >= 0 && i > len(line)-longest {
		return strings.TrimRight(line[:i], `\`)
	}
	return line
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// latin1Head decodes what fits into dst; ok is false at a character beyond latin-1.
func latin1Head(dst []byte, text string) (n int, ok bool) {
	for _, r := range text {
		if n == len(dst) {
			break
		}
		if r > 0xff {
			return n, r == utf8.RuneError // it may be cut in two
		}
		dst[n] = byte(r)
		n++
	}
	return n, true
}
