package view

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/ops"
	"wfs/formats/rules"
)

// Gone is a tensor that rules leave out of a view.
type Gone struct {
	// Key is what it would be called, with the directory of its set.
	Key string
	// Why is line by line what the rules did; the last line says why it is gone.
	Why []string
}

// Casting is a tensor before and after a cast: that of the whole view, or a step of a rule.
type Casting struct {
	// Key is that in the view, with the directory of its set.
	Key      string
	From, To ops.Array
}

// because remembers what a rule did to a tensor.
func (d *deriving) because(n *node, at rules.Pos, format string, args ...any) {
	if d.rules.Explain {
		n.why = append(n.why[:len(n.why):len(n.why)], at.String()+": "+fmt.Sprintf(format, args...))
	}
}

// gone remembers why a tensor is left out.
func (d *deriving) gone(set Set, n *node, at rules.Pos, format string, args ...any) {
	if d.rules.Explain {
		d.because(n, at, format, args...)
		d.plan.Gone = append(d.plan.Gone, Gone{set.Qualify(n.key), n.why})
	}
}

// whyOf is what rules did to all that a result is made of, and to make it.
func whyOf(r *rules.Result, nodes []*node, named []rules.Key) (lines []string) {
	for _, inputs := range r.Inputs {
		for _, i := range inputs {
			lines = append(lines, nodes[i].why...)
		}
	}
	return append(lines, r.Why(named)...)
}

// of is the place of the pattern that picks a key.
func (p picked) of(set Set, key string) rules.Pos {
	for _, g := range p.globs {
		if one := keys.CompileBelow(g.Text); one.Match(key) || one.Match(set.Qualify(key)) {
			return g.Pos
		}
	}
	return rules.Pos{}
}

// beyond remembers which tensors of the source have no part in the view by its root, or are
// hidden.
func (p *Plan) beyond() {
	for _, set := range p.Sets {
		for _, s := range set.Shards {
			taken := map[*checkpoint.Tensor]bool{}
			for _, e := range s.Below(s.Root) {
				taken[e.Tensor] = true
			}
			for _, t := range s.Tensors {
				switch key := set.Qualify(t.Key); {
				case taken[t]:
				case t.Hidden != "":
					p.Gone = append(p.Gone, Gone{key, []string{t.Hidden}})
				default:
					p.Gone = append(p.Gone, Gone{key, []string{fmt.Sprintf("not below the root %.200q", s.Root)}})
				}
			}
		}
	}
}
