package rules

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFile is the most bytes of a file of rules. The largest that transformers would need for
// all renames of all its models has a tenth of it.
const maxFile = 1 << 20

// value is one value of a TOML document and where it stands. One of the fields after pos is
// set, and number for what is a number.
type value struct {
	pos Pos
	// plain reports whether byte i of text is byte i+1 of what stands at pos: a string without
	// escapes.
	plain  bool
	kind   unstable.Kind // String, Integer, Float, Bool, Array, InlineTable; another for what no rule has
	text   string
	number float64
	truth  bool
	list   []*value
	table  *table
}

// table is the pairs of a table in their order.
type table struct {
	pos   Pos
	names []string
	pairs map[string]*value
}

func newTable(pos Pos) *table { return &table{pos, nil, map[string]*value{}} }

func (t *table) set(name string, v *value) {
	if _, ok := t.pairs[name]; !ok {
		t.names = append(t.names, name)
	}
	t.pairs[name] = v
}

// parseDocument reads a TOML file. go-toml's decoder says first whether it is one, and then
// its parser says what stands where, which the decoder forgets.
func parseDocument(name string, text []byte) (*table, error) {
	if len(text) > maxFile {
		return nil, Pos{Name: name}.errorf("it has %d bytes, and a file of rules has at most %d: is it the one you meant?", len(text), maxFile)
	}
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		pos := Pos{Name: name}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			pos.Line, pos.Col = at.Position()
		}
		return nil, pos.errorf("it is not TOML: %s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	d := &document{name: name, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	root := newTable(d.pos(unstable.Range{}))
	here := root
	d.parser.Reset(text)
	for d.parser.NextExpression() {
		node := d.parser.Expression()
		var err error
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			here, err = d.open(root, node)
		case unstable.KeyValue:
			err = d.pair(here, node)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := d.parser.Error(); err != nil {
		return nil, root.pos.errorf("it is not TOML: %v", err)
	}
	return root, nil
}

// document is a TOML file on its way to a table.
type document struct {
	name   string
	lines  []int // where each begins
	parser unstable.Parser
}

// pos is the line and the column of a range.
func (d *document) pos(r unstable.Range) Pos {
	low, high := 0, len(d.lines)
	for high-low > 1 {
		if middle := (low + high) / 2; d.lines[middle] <= int(r.Offset) {
			low = middle
		} else {
			high = middle
		}
	}
	return Pos{d.name, low + 1, int(r.Offset) - d.lines[low] + 1}
}

// open is the table that a header names: [a.b], or a further one of [[a.b]].
func (d *document) open(root *table, node *unstable.Node) (*table, error) {
	here := root
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		name, pos := string(key.Data), d.pos(key.Raw)
		v := here.pairs[name]
		if keys.IsLast() && node.Kind == unstable.ArrayTable {
			if v == nil {
				v = &value{pos: pos, kind: unstable.Array}
				here.set(name, v)
			}
			next := newTable(pos)
			v.list = append(v.list, &value{pos: pos, kind: unstable.InlineTable, table: next})
			return next, nil
		}
		next, err := d.below(here, name, pos)
		if err != nil {
			return nil, err
		}
		here = next
	}
	return here, nil
}

// below is the table of a name, which is made where it is not there; of an array of tables
// it is the last.
func (d *document) below(here *table, name string, pos Pos) (*table, error) {
	v := here.pairs[name]
	if v == nil {
		v = &value{pos: pos, kind: unstable.InlineTable, table: newTable(pos)}
		here.set(name, v)
	}
	if v.kind == unstable.Array && len(v.list) > 0 {
		v = v.list[len(v.list)-1]
	}
	if v.table == nil { // the decoder has refused it
		return nil, pos.errorf("%s is not a table", quote(name))
	}
	return v.table, nil
}

// pair puts one line into a table.
func (d *document) pair(here *table, node *unstable.Node) error {
	for keys := node.Key(); keys.Next(); {
		key := keys.Node()
		name, pos := string(key.Data), d.pos(key.Raw)
		if keys.IsLast() {
			v, err := d.value(node.Value(), pos)
			if err != nil {
				return err
			}
			here.set(name, v)
			return nil
		}
		next, err := d.below(here, name, pos)
		if err != nil {
			return err
		}
		here = next
	}
	return nil
}

// value reads a value. pos is that of its name, for what go-toml gives no place of.
func (d *document) value(node *unstable.Node, pos Pos) (*value, error) {
	if node.Raw.Length > 0 {
		pos = d.pos(node.Raw)
	}
	v := &value{pos: pos, kind: node.Kind}
	switch node.Kind {
	case unstable.String:
		v.text = string(node.Data)
		v.plain = int(node.Raw.Length) == len(v.text)+2
	case unstable.Bool:
		v.truth = string(node.Data) == "true"
	case unstable.Integer, unstable.Float:
		v.text = strings.ReplaceAll(string(node.Data), "_", "")
		if n, err := strconv.ParseInt(v.text, 0, 64); err == nil {
			v.number = float64(n)
		} else if v.number, err = strconv.ParseFloat(v.text, 64); err != nil {
			return nil, pos.errorf("%s is not a number that can be used here", quote(v.text))
		}
	case unstable.Array:
		for items := node.Children(); items.Next(); {
			if items.Node().Kind == unstable.Array {
				return nil, pos.errorf("a list of lists is not part of any rule")
			}
			item, err := d.value(items.Node(), pos)
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, item)
		}
	case unstable.InlineTable:
		v.table = newTable(pos)
		for pairs := node.Children(); pairs.Next(); {
			if pairs.Node().Value().Kind == unstable.InlineTable {
				return nil, pos.errorf("a table in a table in a line is not part of any rule")
			}
			if err := d.pair(v.table, pairs.Node()); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// at is the place of byte i of a string.
func (v *value) at(i int) Pos {
	pos := v.pos
	if v.plain && pos.Line > 0 {
		pos.Col += 1 + i
	}
	return pos
}
