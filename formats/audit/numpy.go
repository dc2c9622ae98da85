package audit

import (
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"

	"wfs/formats/segment"
)

const numpyMagic = "\x93NUMPY"

// maxNumpyHeader is the longest header that is read.
const maxNumpyHeader = 1 << 20

var (
	// objectField is the type of objects, of an array or of a field.
	objectField = regexp.MustCompile(`['"][|<>=]?O\d*['"]`)
	// simpleType is the type of an array of numbers or texts, and simpleShape its shape.
	simpleType  = regexp.MustCompile(`descr['"]:\s*['"][|<>=]?([a-zA-Z])(\d+)['"]`)
	simpleShape = regexp.MustCompile(`shape['"]:\s*\(([\d, ]*)\)`)
)

// numpyFile reports on the pickle after the header of an array of objects
// (numpy/lib/format.py, read_array), and on the arrays that follow: numpy.load reads one
// after the other.
func (s *scanner) numpyFile(data segment.Data, name string, depth int) {
	var fixed [12]byte
	if segment.ReadFull(data, fixed[:], 0) != nil {
		return
	}
	at, n := int64(10), int64(binary.LittleEndian.Uint16(fixed[8:]))
	if fixed[6] > 1 { // versions 2 and 3 have four bytes of length
		at, n = 12, int64(binary.LittleEndian.Uint32(fixed[8:]))
	}
	if n > data.Size()-at {
		return
	}
	if n > maxNumpyHeader {
		s.note("%s: a header of %d bytes: wfs reads %d", label(name), n, maxNumpyHeader)
	}
	buf := make([]byte, min(n, maxNumpyHeader))
	if segment.ReadFull(data, buf, at) != nil {
		return
	}
	header, rest := string(buf), after(data, at+n)
	if objectField.MatchString(header) {
		s.pickles(rest, 0, name, depth, asPickle)
		return
	}
	s.pickles(rest, 0, name, depth, asBytes)
	if size, ok := arraySize(header); ok && size > 0 && size < rest.N {
		s.lookInside(after(rest, size), inside(name, "after its end"), depth+1, asMember)
	}
}

// after is what follows the first n bytes of data.
func after(data segment.Data, n int64) *segment.Range {
	return &segment.Range{Src: data, Off: n, N: data.Size() - n}
}

// arraySize is how many bytes the array of a header takes, if it is of a simple type.
func arraySize(header string) (int64, bool) {
	kind, shape := simpleType.FindStringSubmatch(header), simpleShape.FindStringSubmatch(header)
	if kind == nil || shape == nil {
		return 0, false
	}
	size, err := strconv.ParseInt(kind[2], 10, 32)
	if err != nil {
		return 0, false
	}
	if kind[1] == "U" {
		size *= 4
	}
	for _, dim := range strings.Split(shape[1], ",") {
		if dim = strings.TrimSpace(dim); dim == "" {
			continue
		}
		n, err := strconv.ParseInt(dim, 10, 64)
		if err != nil || n > 0 && size > (1<<62)/n {
			return 0, false
		}
		size *= n
	}
	return size, true
}
