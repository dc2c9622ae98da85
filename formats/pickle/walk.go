package pickle

// Walk calls visit for every value that can be reached from v, each list, dict,
// tuple, set and object once, so that sharing and cycles cost nothing. It does not
// recurse: a pickle nests as deep as it is long.
func Walk(v Value, visit func(Value)) {
	seen := map[any]bool{}
	todo := []Value{v}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch v.(type) {
		case *List, *Tuple, *Dict, *Set, *Object, *PersID:
			if seen[v] {
				continue
			}
			seen[v] = true
		}
		visit(v)
		switch t := v.(type) {
		case *List:
			todo = append(todo, t.Items...)
		case *Tuple:
			todo = append(todo, t.Items...)
		case *Set:
			todo = append(todo, t.Items...)
		case *PersID:
			todo = append(todo, t.ID)
		case *Dict:
			for _, p := range t.List() {
				todo = append(todo, p.Key, p.Value)
			}
		case *Object:
			todo = append(todo, t.Callable, t.Args, t.Kwargs, t.State)
			todo = append(todo, t.Items...)
			for _, p := range t.List() {
				todo = append(todo, p.Key, p.Value)
			}
		}
	}
}
