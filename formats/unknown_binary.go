package formats

import (
	"encoding/binary"
	"regexp"
)

// operation is what the first node of a graph of TensorFlow does.
var operation = regexp.MustCompile(`^(Placeholder|PlaceholderV2|Const|NoOp|VarHandleOp|VariableV2|Variable)$`)

// protobuf says what a message of protobuf is, by its first fields: these formats have no
// signature. "" is for others.
func protobuf(b []byte) string {
	number, version, _, rest := protoField(b)
	second, _, inner, _ := protoField(rest)
	switch {
	case number == 1 && version == 1 && second == 2 && len(inner) > 0 && inner[0] == 0x0a:
		// saved_model.proto: the version, and a graph that begins with what it is of
		return "it is the graph of a SavedModel of TensorFlow" + saveByKeras
	case number == 1 && version >= 3 && version <= 99 && (second == 2 || second == 7 || second == 8):
		// onnx.proto: the version, and the producer, the graph or its operators
		return "it is ONNX" + notRead
	}
	// graph.proto: nodes, each with a name and an operation
	_, _, node, _ := protoField(b)
	one, _, name, rest := protoField(node)
	two, _, op, _ := protoField(rest)
	if number == 1 && one == 1 && two == 2 && len(name) > 0 && operation.Match(op) {
		return "it is a graph of TensorFlow" + notRead
	}
	return ""
}

// protoField reads a field of a message, whose bytes may be cut: its number, 0 for none;
// its value, where that is a number; the bytes that are there of it, where it is bytes; and
// what follows (protobuf.dev, encoding).
func protoField(b []byte) (number, value uint64, bytes, rest []byte) {
	key, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, nil, nil
	}
	value, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return 0, 0, nil, nil
	}
	b = b[n+m:]
	switch key & 7 {
	case 0:
		return key >> 3, value, nil, b
	case 2:
		n := min(value, uint64(len(b)))
		return key >> 3, 0, b[:n], b[n:]
	}
	return 0, 0, nil, nil
}

// isMsgpack reports whether bytes begin with a map whose first key is text.
func isMsgpack(b []byte) bool {
	switch {
	case len(b) > 0 && b[0] >= 0x81 && b[0] <= 0x8f: // a map of up to 15
		b = b[1:]
	case len(b) > 2 && b[0] == 0xde:
		b = b[3:]
	default:
		return false
	}
	if len(b) == 0 || b[0] < 0xa1 || b[0] > 0xbf {
		return false
	}
	n := int(b[0] - 0xa0)
	return len(b) > n && isText(b[1:1+n]) && b[1] > ' '
}
