package tree

import "strings"

// maxTreeDepth is how many directories a key is split into at most. The rest of a
// longer key stays one name, for the sake of programs that walk the tree.
const maxTreeDepth = 64

// Directories of tree/ that one weight file may have, beyond which the rest of a key stays
// one name: a key may have dozens of dots, and each part of it can be a directory of its own.
// No model comes near it: the tensors of an adapter have three each, most have one or less.
const (
	fewDirs       = 4096
	dirsPerTensor = 4
)

// subdir is the place of a directory.
type subdir struct {
	parent *Dir
	name   string
}

// splitter makes the directories of the keys of one file in tree/.
type splitter struct {
	*builder
	separator string
	room      int // directories that may still be made
	whole     int // keys that were not split to their end because there was no room
	last      []step
}

// step is a directory that the last key went through: keys that follow one another have
// most of them in common.
type step struct {
	part     string
	from, to *Dir
}

// split makes the directories of a key and returns the last of them and the name of the leaf.
func (s *splitter) split(d *Dir, key string) (dir *Dir, leaf string) {
	for depth := range maxTreeDepth {
		part, rest, nested := strings.Cut(key, s.separator)
		if !nested {
			break
		}
		if depth < len(s.last) && s.last[depth].from == d && s.last[depth].part == part {
			d, key = s.last[depth].to, rest
			continue
		}
		from := d
		name := encodeDir(part, d.Suffix)
		if s.subs[subdir{d, name}] == nil {
			if s.room == 0 {
				s.whole++
				break
			}
			s.room--
		}
		d, key = s.sub(d, name, d.Suffix), rest
		s.last = append(s.last[:min(depth, len(s.last))], step{part, from, d})
	}
	return d, EncodeName(key)
}
