package pickle

import (
	"reflect"
	"strings"
	"testing"

	"wfs/formats/segment"
)

// TestSparing has the memo keep what is read again alone, which makes no difference to what
// is read.
func TestSparing(t *testing.T) {
	for _, program := range []string{
		"]q\x00]q\x01h\x00h\x01ee.", "(]q\x00]q\x01h\x00t.", "(](I1\nI2\nlp7\n0g7\nt.",
		"\x80\x04(\x8c\x01a\x94\x8c\x01b\x94h\x01h\x00t.", // MEMOIZE counts what nobody reads
		"\x80\x04(\x8c\x01aq\x05\x8c\x01bq\x05\x8c\x01c\x94h\x01t.", "\x80\x04(\x8c\x01aq\x05\x8c\x01bq\x06\x8c\x01c\x94h\x02t.",
		"(K\x01p4000000000\nK\x02p99999\ng4000000000\ng99999\nt.", "(K\x01p99999\nK\x02\x94h\x01t.",
		"(K\x01r\x00\x00\x00\x04j\x00\x00\x00\x04t.", // the first that fetched does not hold
		"h\x00.", "K\x01q\x00h\x01.", "K\x01p-1\n.", "(K\x01q\x00h\x00K\x02q\x00h\x00t.",
		"}q\x00(K\x01h\x00u.", "(lp0\n" + strings.Repeat("I1\nag0\na", 3) + ".",
		"cm\nf\nq\x00(K\x01tRq\x01h\x01h\x00\x86.", "K\x01q\x00", "(K\x01q\x00h\x00",
	} {
		file := segment.Literal(program)
		want, wantErr := Load(file, 0, file.Size(), Options{})
		got, err := Load(file, 0, file.Size(), Options{Compact: func(Value, Value) Compact { return nil }})
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || !reflect.DeepEqual(got.Value, want.Value) {
			t.Errorf("%q: %v, %v; with everything kept %v, %v", program, got.Value, err, want.Value, wantErr)
		}
	}
}

// thing is a Compact.
type thing struct{ object *Object }

func (c *thing) Object() *Object { return c.object }

// TestCompact changes a value that stands for an object.
func TestCompact(t *testing.T) {
	for program, want := range map[string]Object{
		"cm\nf\n(tR.":                 {},
		"cm\nf\n(tR}b.":               {State: &Dict{}},
		"cm\nf\n(tRq\x00}bh\x00.":     {State: &Dict{}},
		"cm\nf\n(tR(K\x01K\x02e.":     {Items: []Value{int64(1), int64(2)}},
		"cm\nf\n(tRK\x01K\x02s.":      {Pairs: Pairs{list: []Pair{{int64(1), int64(2)}}}},
		"cm\nf\n(tRq\x00K\x01ah\x00.": {Items: []Value{int64(1)}},
	} {
		file := segment.Literal(program)
		res, err := Load(file, 0, file.Size(), Options{Compact: func(callable, args Value) Compact {
			if g, ok := callable.(*Global); !ok || g.Name != "f" || len(args.(*Tuple).Items) != 0 {
				t.Errorf("%q: Compact was asked for %v of %v", program, callable, args)
			}
			return &thing{&Object{}}
		}})
		if err != nil {
			t.Errorf("%q: %v", program, err)
			continue
		}
		if c, ok := res.Value.(*thing); !ok || !reflect.DeepEqual(*c.object, want) {
			t.Errorf("%q: %#v, want %#v", program, res.Value, want)
		}
	}
}
