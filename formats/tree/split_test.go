package tree

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyDots has keys that would make a directory of every part: their number is bounded,
// every tensor is there still, and keys of models are split as ever.
func TestManyDots(t *testing.T) {
	const tensors, dots = 3000, 50
	keys := []string{"model.layers.0.weight"}
	for i := range tensors {
		keys = append(keys, fmt.Sprintf("%d%s.w", i, strings.Repeat(".x", dots)))
	}
	tree, all := build(t, Full, set("", 0, keys...))
	dirs := 0
	for _, n := range tree.Nodes {
		if n.Dir != nil {
			dirs++
		}
	}
	if most := fewDirs + dirsPerTensor*len(keys) + 10; dirs > most || dirs < most/2 {
		t.Errorf("%d directories, want up to %d", dirs, most)
	}
	files := map[*File]bool{}
	for path, f := range all {
		if strings.HasPrefix(path, "tree/") {
			files[f] = true
		}
	}
	if len(files) != len(keys) || all["tree/model/layers/0/weight.npy"] == nil {
		t.Errorf("tree/ has %d tensors of %d", len(files), len(keys))
	}
	if len(tree.Notes) != 1 || !strings.Contains(tree.Notes[0], "the rest stays one name") {
		t.Errorf("notes: %q", tree.Notes)
	}
	if tree, _ := build(t, Full, set("", 0, keys[:80]...)); len(tree.Notes) > 0 {
		t.Errorf("a file of few keys: %q", tree.Notes)
	}
}
