package rules

import (
	"fmt"
	"slices"
	"strings"

	"wfs/formats/quantity"
)

// TensorRule makes tensors of tensors. Of a placeholder that stands in from and in to there
// is one run of the rule for each value (a loop). One that stands in from alone collects: all
// keys that differ in it are inputs of one run. One that stands in to alone spreads: a run
// has an output for each number, or for each word of a {a|b|c}.
type TensorRule struct {
	Pos Pos
	// Optional says that it may match no key.
	Optional bool
	// Keep leaves the inputs to later rules and in the view.
	Keep bool
	// Alias says that the output is a further name of the input.
	Alias bool
	Steps []Step

	from []*pattern
	to   []*template
	// loop are the names of the placeholders that loop.
	loop []string
	// looped has for each pattern, and each name of loop, the index of its hole, or -1.
	looped [][]int
	// collected has for each pattern the index of the hole that collects, or -1.
	collected []int
	// driver is the first pattern that has all names of loop: its matches are the runs.
	driver int
	// spread is the hole that spreads.
	spread  hole
	spreads bool
}

// maxPatterns is the most patterns of a from or a to.
const maxPatterns = 1024

func newTensorRule(pos Pos, from, to, do []*value) (*TensorRule, error) {
	switch {
	case len(from) > maxPatterns || len(to) > maxPatterns:
		return nil, pos.errorf("a rule has at most %d patterns in from, and as many in to", maxPatterns)
	case len(do) > maxSteps:
		return nil, pos.errorf("a rule has at most %d steps", maxSteps)
	}
	r := &TensorRule{Pos: pos}
	groups := false
	for _, v := range from {
		p, err := newPattern(v, true)
		if err != nil {
			return nil, err
		}
		if p.regex != nil && p.regex.all {
			return nil, p.pos.errorf("%s matches whole keys here, once each: leave the g away", quote(p.text))
		}
		groups = groups || p.regex != nil
		r.from = append(r.from, p)
	}
	for _, v := range to {
		t, err := newTemplate(v, groups, false)
		if err != nil {
			return nil, err
		}
		r.to = append(r.to, t)
	}
	for _, v := range do {
		s, err := newStep(v, groups)
		if err != nil {
			return nil, err
		}
		r.Steps = append(r.Steps, s)
		r.Alias = r.Alias || s.Op == "alias"
	}
	r.Keep = r.Alias
	if err := r.bind(); err != nil {
		return nil, err
	}
	return r, r.follow()
}

// bind sorts the placeholders into those that loop, collect and spread.
func (r *TensorRule) bind() error {
	for _, t := range r.to {
		for _, h := range t.holes {
			switch bound := slices.ContainsFunc(r.from, func(p *pattern) bool { return find(p.holes, h.name) >= 0 }); {
			case slices.Contains(r.loop, h.name):
			case bound:
				r.loop = append(r.loop, h.name)
			case h.kind != digits && h.kind != choice:
				return t.pos.errorf("%s stands in no pattern of from: nothing says what it is (one that is to be counted is {%s#})", h, h.name)
			case r.spreads && r.spread.name != h.name:
				return t.pos.errorf("%s and %s are both in to alone: a rule spreads over one of them", r.spread, h)
			default:
				r.spread, r.spreads = h, true
			}
		}
	}
	r.driver = -1
	for i, p := range r.from {
		looped, collected := make([]int, len(r.loop)), -1
		for k, name := range r.loop {
			looped[k] = find(p.holes, name)
		}
		for k, h := range p.holes {
			switch {
			case slices.Contains(r.loop, h.name):
			case collected >= 0:
				return p.pos.errorf("%s and %s stand in from alone: a pattern collects over one of them (of a regular expression, groups that are not needed are (?:…))", p.holes[collected], h)
			default:
				collected = k
			}
		}
		if r.driver < 0 && !slices.Contains(looped, -1) {
			r.driver = i
		}
		r.looped, r.collected = append(r.looped, looped), append(r.collected, collected)
	}
	if r.driver < 0 {
		return r.from[0].pos.errorf("no pattern of from has all of %s, which stand in to", strings.Join(r.loop, ", "))
	}
	for _, t := range r.to {
		if r.spreads && find(t.holes, r.spread.name) < 0 {
			return t.pos.errorf("%s is not in %s, and is in another pattern of to", r.spread, quote(t.text))
		}
	}
	return nil
}

// shape is how many tensors a run has at a step: a list for each pattern, of one tensor or of
// what was collected or spread.
type shape struct {
	lists              int
	collected, spreads bool
}

// follow runs through the steps without a tensor, and holds how many there are against what
// each step needs and against to.
func (r *TensorRule) follow() error {
	s := shape{lists: len(r.from), collected: slices.ContainsFunc(r.collected, func(i int) bool { return i >= 0 })}
	for _, step := range r.Steps {
		if err := r.step(&s, step); err != nil {
			return err
		}
	}
	switch {
	case s.collected:
		i := slices.IndexFunc(r.collected, func(i int) bool { return i >= 0 })
		return r.from[i].pos.errorf("%s stands in from alone, so that several keys are collected: join them by stack or concat", r.from[i].holes[r.collected[i]])
	case r.spreads && !s.spreads:
		return r.to[0].pos.errorf("%s stands in to alone: take the tensor apart by unstack, split or chunk", r.spread)
	case s.lists != len(r.to):
		return r.to[0].pos.errorf("from and the steps give %s, and to has %s: join them by stack or concat, or take them apart by split, chunk or unstack", quantity.Of(s.lists, "tensor"), quantity.Of(len(r.to), "key"))
	}
	return nil
}

func (r *TensorRule) step(s *shape, step Step) error {
	switch step.Op {
	case "alias":
		if len(r.Steps) > 1 || s.lists > 1 || s.collected {
			return step.Pos.errorf("alias is a further name of one tensor, and the only step of its rule")
		}
	case "stack", "concat":
		return s.join(step)
	case "mean":
		if len(step.args) == 0 {
			return s.join(step)
		}
	case "weight_norm":
		return s.fixed(step, []int{2}, 1)
	case "batch_norm":
		return s.fixed(step, []int{5, 6}, 2)
	case "dequant":
		if s.collected || s.spreads {
			return step.Pos.errorf("dequant comes before what takes a tensor apart, and after what joins those that were collected")
		}
		s.lists = 1
	case "unstack", "split", "chunk":
		switch {
		case s.collected || s.spreads:
			return step.Pos.errorf("%s takes one tensor apart, and here are several: join them first", step.Op)
		case s.lists == 1 && len(r.to) > 1:
			s.lists = len(r.to)
		case r.spreads:
			s.spreads = true
		default:
			return step.Pos.errorf("%s makes several tensors, and to has one key for them: put {x#}, {a|b|c} or several keys there", step.Op)
		}
	}
	return nil
}

// join is what comes of stack and concat: what was collected becomes one, then what the
// patterns gave.
func (s *shape) join(step Step) error {
	switch {
	case s.spreads:
		return step.Pos.errorf("%s joins what was taken apart before", step.Op)
	case s.collected:
		s.collected = false
	case s.lists > 1:
		s.lists = 1
	default:
		return step.Pos.errorf("%s has one tensor to join: put a placeholder into from that is not in to, or several patterns", step.Op)
	}
	return nil
}

// fixed is what comes of a step that needs so many patterns.
func (s *shape) fixed(step Step, lists []int, become int) error {
	if s.collected || s.spreads || !slices.Contains(lists, s.lists) {
		return step.Pos.errorf("%s needs as many tensors as it is written for, and has %d: %s", step.Op, s.lists, operators()[step.Op].does)
	}
	s.lists = become
	return nil
}

// Text is the rule in a line, for people.
func (r *TensorRule) Text() string {
	var from, to, do []string
	for _, p := range r.from {
		from = append(from, quote(p.text))
	}
	for _, t := range r.to {
		to = append(to, quote(t.text))
	}
	for _, s := range r.Steps {
		do = append(do, s.Text)
	}
	text := fmt.Sprintf("%s to %s", strings.Join(from, " and "), strings.Join(to, " and "))
	if len(do) > 0 {
		text += ": " + strings.Join(do, ", ")
	}
	return text
}
