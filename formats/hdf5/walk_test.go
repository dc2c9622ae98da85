package hdf5

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNames lists groups that have several names: each name of what is in them is given,
// with the address of the first, and links back end where they lead to.
func TestNames(t *testing.T) {
	f := open(t, fixture(t, "links.h5"))
	datasets := map[string]uint64{}
	var groups, back []string
	seen := map[string]bool{}
	err := f.Walk(func(path string, obj Object) error {
		if seen[path] {
			t.Errorf("%s is given twice", path)
		}
		seen[path] = true
		if dir, _, ok := cutLast(path); ok && !seen[dir] {
			t.Errorf("%s before %s", path, dir)
		}
		switch o := obj.(type) {
		case *Dataset:
			datasets[path] = o.Address()
		case *Group:
			groups = append(groups, path)
		case *Unreachable:
			if !strings.HasPrefix(o.Reason, "it leads back to /") {
				t.Errorf("%s: %s", path, o.Reason)
			}
			back = append(back, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, layers := range []string{"layers", "a first"} {
		for _, dense := range []string{"dense", "hard", "soft"} {
			for _, vars := range []string{"vars", "round"} {
				for _, name := range []string{"0", "again"} {
					path := strings.Join([]string{layers, dense, vars, name}, "/")
					if datasets[path] == 0 || datasets[path] != datasets["latest/0"] {
						t.Errorf("%s is at address %d", path, datasets[path])
					}
				}
			}
			if up := layers + "/" + dense + "/up"; !slices.Contains(back, up) {
				t.Errorf("%s is not in %q", up, back)
			}
		}
	}
	if !slices.Contains(groups, "empty") || !slices.Contains(groups, "nothing") {
		t.Errorf("groups %q", groups)
	}
}

func cutLast(path string) (dir, name string, ok bool) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return "", path, false
}

// TestNamesWithoutEnd walks a file of 25 groups with 2²⁵ names: some are given, and
// where others are not it is said.
func TestNamesWithoutEnd(t *testing.T) {
	f := open(t, fixture(t, "dag.h5"))
	names, cut := 0, 0
	reasons := map[string]bool{}
	start := processorTime(t)
	if err := f.Walk(func(path string, obj Object) error {
		names++
		if u, ok := obj.(*Unreachable); ok {
			cut++
			reasons[strings.Fields(u.Reason)[0]] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if took := processorTime(t) - start; names > 2*maxAgain || cut == 0 || cut > 1000 || took > 5*time.Second {
		t.Errorf("%d names, %d of them cut (%v), %v", names, cut, reasons, took)
	}
	// An object is found by each of its names all the same.
	path := "h23" + strings.Repeat("/b", 24) + "/w"
	if d, err := f.Open(path); err != nil || !reflect.DeepEqual(d.(*Dataset).Dims, []uint64{3}) {
		t.Errorf("%s: %v", path, err)
	}
}
