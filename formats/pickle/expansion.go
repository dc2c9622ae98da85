package pickle

// Bounds of what a pickle may be written out to before that is worth a note.
const (
	minShared    = 8       // containers that occur more than once
	maxExpansion = 1 << 24 // values
	maxWalkDepth = 100_000
)

// share remembers a container that the pickle uses again.
func (m *machine) share(v Value) {
	if !isContainer(v) {
		return
	}
	if _, known := m.shared[v]; known {
		return
	}
	if m.shared == nil {
		m.shared = map[any]struct{}{}
	}
	m.shared[v] = struct{}{}
	m.budget -= costPair
}

// checkExpansion counts the values that v has when all that is shared is written out,
// as a program does that copies or prints it: lists of the same lists ("billion laughs")
// double it with every level.
func (m *machine) checkExpansion(v Value) {
	if len(m.shared) < minShared {
		return
	}
	if n := m.expanded(v); n > maxExpansion {
		m.anomaly("written out, its values are %.3g: an expansion attack looks like this", n)
	}
}

// visit is a container on the way down.
type visit struct {
	v    Value
	left []Value // what of it is still to be counted
	sum  float64
}

// expanded is the number of values of v written out. Only what is shared is
// remembered; everything else has one place. It stops at a depth that no
// program would follow.
func (m *machine) expanded(v Value) float64 {
	known := map[any]float64{}
	path := []visit{{v, contents(v), 1}}
	for {
		last := &path[len(path)-1]
		if n := len(last.left); n > 0 {
			next := last.left[n-1]
			last.left = last.left[:n-1]
			if !isContainer(next) {
				last.sum++
				continue
			}
			if _, shared := m.shared[next]; shared {
				if sum, done := known[next]; done {
					last.sum += sum
					continue
				}
				known[next] = 1 // a cycle ends here
			}
			if len(path) == maxWalkDepth {
				last.sum++
				continue
			}
			path = append(path, visit{next, contents(next), 1})
			continue
		}
		sum := last.sum
		if _, shared := m.shared[last.v]; shared {
			known[last.v] = sum
		}
		path = path[:len(path)-1]
		if len(path) == 0 {
			return sum
		}
		path[len(path)-1].sum += sum
	}
}

func isContainer(v Value) bool {
	switch v.(type) {
	case *List, *Tuple, *Dict, *Set, *Object, *PersID:
		return true
	}
	return false
}

// contents is what lies in a container.
func contents(v Value) []Value {
	switch t := v.(type) {
	case *List:
		return t.Items
	case *Tuple:
		return t.Items
	case *Set:
		return t.Items
	case *PersID:
		return []Value{t.ID}
	case *Dict:
		return entries(t.List())
	case *Object:
		return append(append(entries(t.List()), t.Callable, t.Args, t.Kwargs, t.State), t.Items...)
	}
	return nil
}

func entries(list []Pair) []Value {
	values := make([]Value, 0, 2*len(list)+4)
	for _, p := range list {
		values = append(values, p.Key, p.Value)
	}
	return values
}
