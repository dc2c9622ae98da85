package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"wfs/formats/source"
	"wfs/formats/tree"
)

// site is a Site and what was worked out of it.
type site struct {
	Site
	// identities are what the sources were pinned to at the start.
	identities map[source.Source]string
	// print is a hash of all of them and of the variant.
	print string
	// commit is the name of the one revision.
	commit string
	// entries are the files and directories of the repository, by path.
	entries []entry
}

// entry is a file or a directory of a repository.
type entry struct {
	path string
	tree.Node
}

func newSite(s Site) *site {
	made := &site{Site: s, identities: map[source.Source]string{}}
	all := []string{s.Variant}
	add := func(src source.Source) {
		made.identities[src] = src.Identity()
		all = append(all, src.Identity())
	}
	for _, m := range s.Plan.Opened() {
		for set, shard := range m.Shards() {
			add(shard.Source)
			if set.IndexSource != nil {
				add(set.IndexSource)
			}
		}
		for _, f := range m.Files {
			all = append(all, f.Path)
			add(f.Source)
		}
	}
	made.print = hash(all...)
	made.commit = hash("commit", made.print)
	made.walk("", s.Repository.Root)
	slices.SortFunc(made.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return made
}

func (s *site) walk(prefix string, d *tree.Dir) {
	for i := range d.Len() {
		name, node := d.Entry(i)
		s.entries = append(s.entries, entry{prefix + name, node})
		if node.Dir != nil {
			s.walk(prefix+name+"/", node.Dir)
		}
	}
}

// etag is a strong validator, of the form that the Hub's cache has for the names of its
// blobs. A file that is a source byte for byte keeps its own while others change.
func (s *site) etag(name string, f *tree.File) string {
	if src := f.Verbatim(); src != nil {
		if identity, ok := s.identities[src]; ok {
			return hash("verbatim", identity)
		}
	}
	return hash(s.print, name)
}

// hash is 40 hexadecimal digits.
func hash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		io.WriteString(h, part)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}
