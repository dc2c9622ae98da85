package pickle

import "strings"

// Bounds of what is looked for inside bytes.
const (
	minPayload  = 16 // bytes: a shorter pickle can name nothing and call it
	maxPayloads = 100_000
)

// zipMagic begins a zip file (APPNOTE.TXT 4.3.7).
const zipMagic = "PK\x03\x04"

type certainty int

const (
	noPayload certainty = iota
	possible            // begins like a pickle of protocol 0 or 1, as other bytes do too
	certain
)

// payloadKind says whether bytes that begin so may be pickles, or a file of them.
func payloadKind(head string) certainty {
	switch {
	case len(head) < minPayload:
		return noPayload
	case head[0] == byte(Proto) && head[1] <= highestProtocol, strings.HasPrefix(head, zipMagic):
		return certain
	case LooksLikePickle([]byte(head[:min(len(head), headSize)])):
		return possible
	}
	return noPayload
}

// payload remembers p under key. A payload that is known already is only certain from now on.
func (m *machine) payload(key any, p Payload) {
	if i, known := m.known[key]; known {
		m.res.Payloads[i].Certain = m.res.Payloads[i].Certain || p.Certain
		return
	}
	if len(m.res.Payloads) == maxPayloads {
		m.anomaly("more than %d values may be pickles: the rest is not looked into", maxPayloads)
		return
	}
	if m.known == nil {
		m.known = map[any]int{}
	}
	m.known[key] = len(m.res.Payloads)
	m.res.Payloads = append(m.res.Payloads, p)
	m.budget -= 2*costObject + int64(len(p.Data))
}

// payloadBytes looks at the bytes that op pushes.
func (m *machine) payloadBytes(op *Op) {
	kind := payloadKind(op.Text)
	if kind == noPayload {
		return
	}
	p := Payload{Off: op.At, Len: op.Len, Certain: kind == certain}
	if op.Code == String { // decoded: the file's bytes are not the string's
		p.Data, p.Len = []byte(op.Text), int64(len(op.Text))
		m.payload(op.Text, p)
		return
	}
	m.payload(op.At, p)
}

// payloadText looks at the text that op pushes: protocol 2 has bytes as text.
func (m *machine) payloadText(op *Op) {
	if len(op.Text) < minPayload || !strings.HasPrefix(op.Text, "\xc2\x80") { // the byte 0x80 as a character
		return
	}
	p := Payload{Off: op.At, Len: op.Len, Latin1: true, Certain: true}
	if op.Held {
		p.Data = []byte(op.Text)
		m.payload(op.Text, p)
		return
	}
	m.payload(op.At, p)
}

// openers are functions that unpickle their argument, whatever it begins with.
var openers = map[string]bool{
	"torch.storage._load_from_bytes": true, "pickle.loads": true, "dill.loads": true, "cloudpickle.loads": true,
	"joblib.loads": true, "io.BytesIO": true,
}

// opens adds the argument of a call that reads pickles to the payloads.
func (m *machine) opens(o *Object) {
	g, ok := o.Callable.(*Global)
	if !ok || !openers[Canonical(g.Module)+"."+g.Name] {
		return
	}
	arg := firstArgument(o)
	p := Payload{Certain: true}
	if call, ok := arg.(*Object); ok { // _codecs.encode(text, 'latin1')
		arg, p.Latin1 = firstArgument(call), true
	}
	switch v := arg.(type) {
	case Bytes:
		p.Off, p.Len = v.Off, v.Len
		if v.Off == 0 && v.Data != nil { // of a STRING, decoded
			p.Data = v.Data
			m.payload(string(v.Data), p)
			return
		}
		m.payload(v.Off, p)
	case Text:
		p.Off, p.Len = v.Off, v.Len
		m.payload(v.Off, p)
	case string:
		p.Data, p.Len = []byte(v), int64(len(v))
		m.payload(v, p)
	}
}

func firstArgument(o *Object) Value {
	if args, ok := o.Args.(*Tuple); ok && len(args.Items) > 0 {
		return args.Items[0]
	}
	return nil
}
