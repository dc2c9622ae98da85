package torch

import (
	"fmt"
	"strings"
	"testing"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// hooked is one as torch writes it today, with an OrderedDict of no hooks.
func hooked(n int) string {
	return strings.Replace(one(n), "(dt", "ccollections\nOrderedDict\n(tRt", 1)
}

// TestRebuilt reads tensors while their pickle is read, and afterwards, which makes no
// difference to what is listed.
func TestRebuilt(t *testing.T) {
	parameter := func(data string) string {
		return "ctorch._utils\n_rebuild_parameter\n(" + data + "I01\nccollections\nOrderedDict\n(tRtR"
	}
	for _, values := range []string{
		hooked(1), hooked(1) + hooked(1), parameter(hooked(1)), parameter(one(1)), parameter(parameter(hooked(2))),
		hooked(1) + "}(S'more'\n" + hooked(2) + "ub", parameter(hooked(1)) + "}(S'more'\n" + hooked(2) + "ub",
		hooked(1) + "p5\ng5\ng5\n}(S'more'\n" + hooked(2) + "ub",
		hooked(1) + "(S'key'\n" + hooked(2) + "u", hooked(1) + "(" + hooked(3) + "e",
		hooked(1) + "(I1\nt" + "b", "}(" + hooked(1) + hooked(2) + "u", "}(" + parameter(hooked(1)) + "I1\n" + hooked(2) + "I2\nu",
		strings.Replace(hooked(1), "(I1\nt(I1\nt", "(t(t", 1), strings.Replace(hooked(1), "I0\n(t(t", "I0\n(I4\nt(I1\nt", 1),
		strings.Replace(hooked(1), "I0\n(t(t", "I-1\n(t(t", 1), strings.Replace(hooked(1), "I0\n(t(t", "I0\n(t(I1\nt", 1),
		strings.Replace(hooked(1), "FloatStorage", "NoStorage", 1), strings.Replace(hooked(1), "_v2", "_v3", 1),
		strings.Replace(hooked(1), "_v2", "", 1) + "}(S'more'\n" + hooked(2) + "ub",
	} {
		program := "(" + values + "l."
		if before, now := listing(t, program, false), listing(t, program, true); before != now {
			t.Errorf("%q:\n%s\nas it is read:\n%s", program, before, now)
		}
	}
}

// listing is all that is known of a pickle with storages of one float.
func listing(t *testing.T, program string, whileRead bool) string {
	t.Helper()
	file := segment.Literal(program)
	r := newResolver(file, nil, func(ref storageRef) (storage, error) {
		return storage{data: floats(1), dtype: ref.dtype, id: ref.key}, nil
	}, 10)
	opt := pickle.Options{}
	if whileRead {
		opt = r.options(opt)
	}
	res, err := pickle.Load(file, 0, file.Size(), opt)
	if err != nil {
		return err.Error()
	}
	if list, _ := items(res.Value); strings.HasPrefix(program, "("+hooked(1)) {
		if _, ok := list[0].(*rebuilt); ok != whileRead {
			t.Errorf("%q: %T", program, list[0])
		}
	}
	c := newCollector(r, file.Size())
	c.walk("", res.Value, 0)
	var b strings.Builder
	for _, one := range c.tensors {
		fmt.Fprintf(&b, "%s %s %v %q", one.Key, one.DType, one.Shape, one.Hidden)
		if one.Tied != nil {
			fmt.Fprintf(&b, " = %s", one.Tied.Key)
		}
		b.WriteByte('\n')
	}
	objects, err := marshalOrdered(ordered{{"", c.objects(res.Value)}})
	fmt.Fprintln(&b, c.omitted, c.fault, c.candidates(res.Value), c.notes(res.Value, ""), string(objects), err)
	return b.String()
}
