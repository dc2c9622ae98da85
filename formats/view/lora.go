package view

import (
	"fmt"

	"wfs/formats/adapter"
	"wfs/formats/rules"
)

// bases are the tensors of the view as adapters see them.
func (d *deriving) bases() (bases []adapter.Base) {
	d.each(func(set Set, n *node) error {
		bases = append(bases, adapter.Base{Key: n.key, Set: set.Place(), Array: n.array})
		return nil
	})
	return bases
}

// merge merges adapters into the whole view, one after the other. All of them see the tensors
// that none has changed: the lengths of DoRA are of those, and which tensors are tied.
func (d *deriving) merge() error {
	if len(d.rules.Loras) == 0 {
		return nil
	}
	bases := d.bases()
	for _, l := range d.rules.Loras {
		if err := d.mergeOne(bases, l); err != nil {
			return err
		}
	}
	return nil
}

func (d *deriving) mergeOne(bases []adapter.Base, l rules.Lora) error {
	a, err := d.openAdapter(l.Pos, l.Path)
	if err != nil {
		return err
	}
	if err := a.match(bases); err != nil {
		return fault(l.Pos, "%v", err)
	}
	d.plan.notes = append(d.plan.notes, a.Notes()...)
	return d.each(func(set Set, n *node) error {
		m := a.merges[adapter.Base{Key: n.key, Set: set.Place()}.Name()]
		if m == nil {
			return nil
		}
		if n.array, err = m.Apply(n.array, l.Weight); err != nil {
			return fault(l.Pos, "%.200q: %v", n.key, err)
		}
		n.sources = append(n.sources[:len(n.sources):len(n.sources)], a.files...)
		by := fmt.Sprintf("%s of %s", m.What, l.Path)
		if l.Weight != 1 {
			by += fmt.Sprintf(" times %g", l.Weight)
		}
		n.by(by)
		d.because(n, l.Pos, "%s", by)
		return nil
	})
}
