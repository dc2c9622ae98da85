package hub

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"wfs/formats/source"
	"wfs/formats/source/blocks"
	"wfs/formats/source/http"
)

// Dir is the files of a repository at a commit, or of a directory of it.
type Dir struct {
	*repository
	files map[string]node
	lists map[string][]source.Entry
	below string
}

// maxPlain is what the Hub gives by plain HTTP (huggingface_hub/constants.py, MAX_HTTP_DOWNLOAD_SIZE).
const maxPlain = 50_000_000_000

func newDir(r *repository, tree []node) (*Dir, error) {
	d := &Dir{repository: r, files: map[string]node{}, lists: map[string][]source.Entry{"": nil}}
	for _, n := range tree {
		if _, _, ok := within("", n.Path); !ok || strings.ContainsAny(n.Path, "\\\x00") || n.Size < 0 {
			return nil, fmt.Errorf("the Hub lists %s, which is not a path", source.Printable(n.Path))
		}
		if n.Type == "file" {
			d.files[n.Path] = n
		}
	}
	for name := range d.files {
		for kind := source.File; ; kind = source.Directory { // directories are those of files
			dir := path.Dir(name)
			if dir == "." {
				dir = ""
			}
			_, known := d.lists[dir]
			d.lists[dir] = append(d.lists[dir], source.Entry{Name: path.Base(name), Kind: kind})
			if known {
				break
			}
			name = dir
		}
	}
	for dir, list := range d.lists {
		if _, file := d.files[dir]; file {
			return nil, fmt.Errorf("the Hub lists %s as a file and as a directory", source.Printable(dir))
		}
		slices.SortFunc(list, func(a, b source.Entry) int { return cmp.Compare(a.Name, b.Name) })
	}
	return d, nil
}

// Path implements source.Dir.
func (d *Dir) Path() string { return d.shown("") }

// shown is how a path below is named in messages.
func (d *Dir) shown(name string) string {
	return strings.TrimSuffix(d.given+"/"+path.Join(d.below, name), "/")
}

// List implements source.Dir.
func (d *Dir) List(name string) ([]source.Entry, error) {
	list, ok := d.lists[path.Join(d.below, name)]
	if !ok {
		return nil, fmt.Errorf("%s: %w", source.Printable(d.shown(name)), fs.ErrNotExist)
	}
	return list, nil
}

// Has reports whether a path is a file or a directory.
func (d *Dir) Has(name string) (file, dir bool) {
	_, file = d.files[path.Join(d.below, name)]
	_, dir = d.lists[path.Join(d.below, name)]
	return file, dir
}

// Sub implements source.Nested.
func (d *Dir) Sub(name string) (source.Dir, error) {
	sub := *d
	sub.below = path.Join(d.below, name)
	return &sub, nil
}

// Close implements source.Dir.
func (d *Dir) Close() error { return nil }

// Open implements source.Dir. It asks nobody: what was downloaded is a local file, and of others
// the size and the hash are known.
func (d *Dir) Open(name string) (source.Source, error) {
	shown := d.shown(name)
	name = path.Join(d.below, name)
	n, ok := d.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w in commit %s", source.Printable(shown), fs.ErrNotExist, d.Commit)
	}
	if local, err := source.Open(d.snapshot(name)); err == nil {
		if local.Size() == n.Size {
			return local, nil
		}
		local.Close()
	}
	if n.Size > maxPlain {
		return nil, fmt.Errorf("%s: it has %d bytes, and the Hub gives files above %d by its own protocol (Xet) alone: hf download it", source.Printable(shown), n.Size, int64(maxPlain))
	}
	a, err := d.address(d.resolve(d.Commit, name), "")
	if err != nil {
		return nil, err
	}
	return blocks.NewFile(d.client.Cache(), blocks.Pin{
		Path: shown, Name: path.Base(name), ModTime: d.Modified, Size: n.Size, Tail: http.HasTail(name),
		Identity: fmt.Sprintf("%s %s/%s %s %d bytes", d.env.Endpoint, d.kind, d.repo, n.hash(), n.Size),
	}, d.client.NewRemote(a, n.Size, n.check), d.client.Patience()), nil
}

// check tells by the headers of the Hub, which redirects to where the bytes are, that a file is
// the one that was listed.
func (n node) check(resp *http.Answer) error {
	for _, h := range append(resp.Hops, resp.Header) {
		if etag := h.Get("X-Linked-Etag"); etag != "" && strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) != n.hash() {
			return fmt.Errorf("%w: the Hub gives another file than it listed", source.ErrStale)
		}
	}
	return nil
}
