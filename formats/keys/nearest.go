package keys

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

const (
	// maxCompared is the most bytes of a key that are compared letter by letter.
	maxCompared = 256
	// kind tells one way to be near from the next; differences in letters stay below it.
	kind = 1 << 20
	// mostNearest is how many keys Nearest names.
	mostNearest = 3
)

// Nearest is up to three keys that typed can have meant, the likeliest first: the same in
// other letters, one that ends or begins with it as a whole word, one that it ends with (of a
// model that is wrapped), one with a few letters wrong, one that begins or ends with such a one, one that begins
// with it, or one that holds it. Those that are near in a lesser way than the first are not named.
func Nearest(typed string, all iter.Seq[string]) []string {
	type near struct {
		key   string
		worse int
	}
	var found []near
	fold := strings.ToLower(typed)
	if fold == "" {
		return nil
	}
	for key := range all {
		if worse, ok := apart(fold, strings.ToLower(key)); ok {
			at, _ := slices.BinarySearchFunc(found, worse+1, func(n near, w int) int { return cmp.Compare(n.worse, w) })
			if at < mostNearest {
				found = slices.Insert(found, at, near{key, worse})
				found = found[:min(len(found), mostNearest)]
			}
		}
	}
	var names []string
	for _, n := range found {
		if n.worse/kind == found[0].worse/kind {
			names = append(names, n.key)
		}
	}
	return names
}

// apart says how far a key is from what was typed, and whether it is near at all. Both are
// in lower case.
func apart(typed, key string) (worse int, ok bool) {
	extra := len(key) - len(typed)
	switch {
	case key == typed:
		return 0, true
	case strings.HasSuffix(key, "."+typed), strings.HasSuffix(key, "/"+typed):
		return kind + min(extra, kind-1), true
	case strings.HasSuffix(typed, "."+key), strings.HasSuffix(typed, "/"+key):
		return kind + min(-extra, kind-1), true
	case strings.HasPrefix(key, typed+"."), strings.HasPrefix(key, typed+"/"):
		return kind + min(extra, kind-1), true
	}
	if d, ok := misspelled(typed, key); ok {
		return 2*kind + d, true
	}
	first, last := ends(key, strings.Count(typed, "."))
	if d, ok := misspelled(typed, first); ok {
		return 3*kind + d, true
	}
	if d, ok := misspelled(typed, last); ok {
		return 3*kind + d, true
	}
	switch {
	case strings.HasPrefix(key, typed):
		return 4*kind + min(extra, kind-1), true
	case strings.Contains(key, typed):
		return 5*kind + min(extra, kind-1), true
	}
	return 0, false
}

// misspelled says how many letters are wrong, and whether so few that it is the same word.
func misspelled(typed, word string) (wrong int, ok bool) {
	most := max(2, len(typed)/5)
	if extra := len(word) - len(typed); extra < -most || extra > most {
		return 0, false
	}
	wrong = Distance(typed[:min(len(typed), maxCompared)], word[:min(len(word), maxCompared)])
	return wrong, wrong <= most && wrong < len(typed)
}

// ends are what a key begins and ends with, as many dots in each.
func ends(key string, dots int) (first, last string) {
	parts := strings.Split(key, ".")
	if len(parts) <= dots+1 {
		return "", ""
	}
	return strings.Join(parts[:dots+1], "."), strings.Join(parts[len(parts)-dots-1:], ".")
}

// Distance is the number of letters to insert, delete or replace that make b of a
// (Levenshtein), where two neighbours that changed places count as one.
func Distance(a, b string) int {
	// Row i-2, i-1 and i of the table: the distance of a[:i] to each start of b.
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := above[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(above[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
