package rules

import (
	"slices"
	"strconv"
	"strings"

	"wfs/formats/keys"
	"wfs/formats/quantity"
)

// found is a key that a pattern matches, and what its placeholders stand for.
type found struct {
	key    int
	values []string
}

// run is one run of a rule: what the names of its loop stand for, and the inputs, a list for
// each pattern.
type run struct {
	rule   *TensorRule
	set    string
	loop   []string
	inputs [][]found
}

// tensor carries out a rule over the keys of a set, of which it gets the indices.
func (a *application) tensor(r *TensorRule, set []int) error {
	matches := make([][]found, len(r.from))
	any := false
	for _, i := range set {
		if a.taken[i] {
			continue
		}
		for n, p := range r.from {
			if values, ok := p.match(a.names[i], nil); ok {
				matches[n] = append(matches[n], found{i, values})
				any = true
				break
			}
		}
	}
	if !any {
		return nil
	}
	a.used[r] = true
	runs, err := a.runs(r, a.keys[set[0]].Set, matches)
	if err != nil {
		return err
	}
	for _, one := range runs {
		if err := a.evaluate(one); err != nil {
			return err
		}
	}
	if !r.Keep {
		for _, list := range matches {
			for _, f := range list {
				a.taken[f.key] = true
			}
		}
	}
	return nil
}

// projected is what some names of the loop stand for, as a key of a map. No value of a
// placeholder has a NUL that could be taken for the end of one: the lengths stand in front.
func projected(values func(i int) (string, bool), n int) string {
	var b strings.Builder
	for i := range n {
		if v, ok := values(i); ok {
			b.WriteString(strconv.Itoa(len(v)))
			b.WriteByte(' ')
			b.WriteString(v)
		}
	}
	return b.String()
}

// runs sorts the matches of a rule into its runs.
func (a *application) runs(r *TensorRule, set string, matches [][]found) ([]*run, error) {
	var runs []*run
	// For each pattern the matches by those names of the loop that it has.
	by := make([]map[string][]found, len(r.from))
	project := func(n int, f found) string {
		return projected(func(i int) (string, bool) {
			if at := r.looped[n][i]; at >= 0 {
				return f.values[at], true
			}
			return "", false
		}, len(r.loop))
	}
	for n, list := range matches {
		by[n] = make(map[string][]found, len(list))
		for _, f := range list {
			at := project(n, f)
			if n == r.driver && by[n][at] == nil {
				one := &run{rule: r, set: set, inputs: make([][]found, len(r.from))}
				for _, i := range r.looped[n] {
					one.loop = append(one.loop, f.values[i])
				}
				runs = append(runs, one)
			}
			by[n][at] = append(by[n][at], f)
		}
	}
	for n := range by {
		wanted := map[string]bool{}
		for _, one := range runs {
			at := projected(func(i int) (string, bool) { return one.loop[i], r.looped[n][i] >= 0 }, len(r.loop))
			wanted[at] = true
			if one.inputs[n] = by[n][at]; one.inputs[n] == nil {
				return nil, r.from[n].pos.errorf("%s matches no key%s, which %s needs", quote(r.from[n].text), one.where(), a.driverKey(one))
			}
		}
		for at, list := range by[n] {
			if !wanted[at] {
				return nil, r.from[r.driver].pos.errorf("%s matches no key that goes with %s", quote(r.from[r.driver].text), quote(a.names[a.least(by[n], wanted, list)]))
			}
		}
	}
	return runs, a.order(r, runs)
}

// least is the first key that no run wants, so that an error is the same each time.
func (a *application) least(by map[string][]found, wanted map[string]bool, list []found) int {
	first := list[0].key
	for at, list := range by {
		if !wanted[at] {
			first = min(first, list[0].key)
		}
	}
	return first
}

// driverKey is the key that made a run.
func (a *application) driverKey(one *run) string {
	return quote(a.names[one.inputs[one.rule.driver][0].key])
}

// where is what the loop of a run stands for: ` for i = "3"`.
func (one *run) where() string {
	var list []string
	for i, name := range one.rule.loop {
		list = append(list, name+" = "+quote(one.loop[i]))
	}
	if list == nil {
		return ""
	}
	return " for " + strings.Join(list, ", ")
}

// order puts what was collected into its order, and refuses it where something is missing:
// numbers have no gap and begin with 0 or 1, of a list every word is there, and each run of the
// rule collects the same.
func (a *application) order(r *TensorRule, runs []*run) error {
	type collection struct {
		one    *run
		values []string
	}
	first := map[string]collection{} // by the name of the placeholder
	for _, one := range runs {
		for n, list := range one.inputs {
			at := r.collected[n]
			if at < 0 {
				continue
			}
			p, h := r.from[n], r.from[n].holes[at]
			rank := func(f found) int { return slices.Index(h.list, f.values[at]) }
			slices.SortStableFunc(list, func(x, y found) int {
				if h.kind == choice {
					return rank(x) - rank(y)
				}
				return keys.Compare(x.values[at], y.values[at])
			})
			values := make([]string, len(list))
			for i, f := range list {
				values[i] = f.values[at]
			}
			if missing, ok := h.missing(values); ok {
				return p.pos.errorf("%s%s has %s, and none for %s = %s", quote(p.text), one.where(), quantity.Of(len(list), "key"), h, quote(missing))
			}
			if before, ok := first[h.name]; !ok {
				first[h.name] = collection{one, values}
			} else if !slices.Equal(before.values, values) {
				return p.pos.errorf("%s has %s%s, and the %d of %s%s are others: a rule collects the same each time",
					quote(p.text), quantity.Of(len(values), "key"), one.where(), len(before.values), h, before.one.where())
			}
		}
	}
	return nil
}

// missing is the first value that a placeholder has to stand for and does not. values are in
// order.
func (h hole) missing(values []string) (string, bool) {
	switch h.kind {
	case digits:
		next := 0
		for i, v := range values {
			n, err := strconv.Atoi(v)
			if i == 0 && n == 1 && err == nil {
				next = 1
			}
			if n != next || err != nil {
				return strconv.Itoa(next), true
			}
			next++
		}
	case choice:
		for _, w := range h.list {
			if !slices.Contains(values, w) {
				return w, true
			}
		}
	}
	return "", false
}
