package serve

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wfs/formats/segment"
)

// maxPage is how many entries an answer of the tree has. The next one is linked.
const maxPage = 1000

// lastCommit is what is told of each entry where it is asked for.
type lastCommit struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Date  string `json:"date"`
}

// treeEntry is a file or directory in the answers of tree and paths-info.
type treeEntry struct {
	Type   string      `json:"type"`
	OID    string      `json:"oid"`
	Size   int64       `json:"size"`
	Path   string      `json:"path"`
	Commit *lastCommit `json:"lastCommit,omitempty"`
}

func (s *site) treeEntry(e entry, expand bool) treeEntry {
	t := treeEntry{Type: "directory", OID: hash(s.print, "directory", e.path), Path: e.path}
	if e.File != nil {
		t.Type, t.OID, t.Size = "file", s.etag(e.path, e.File), e.File.Size()
	}
	if expand {
		t.Commit = &lastCommit{s.commit, commitTitle, stamp(s.Tree.ModTime)}
	}
	return t
}

// listTree answers with a page of the entries below a path.
func (h *Handler) listTree(w *writer, r *http.Request, s *site, top string) {
	query := r.URL.Query()
	if top != "" {
		if node, ok := s.Repository.Find(top); !ok || node.Dir == nil {
			hubError(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
			return
		}
		top += "/"
	}
	recursive, expand := isTrue(query.Get("recursive")), isTrue(query.Get("expand"))
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > maxPage {
		limit = maxPage
	}
	next, _ := strconv.Atoi(query.Get("cursor"))
	page := []treeEntry{}
	for next = max(next, 0); next < len(s.entries) && len(page) < limit; next++ {
		rest, inside := strings.CutPrefix(s.entries[next].path, top)
		if inside && (recursive || !strings.Contains(rest, "/")) {
			page = append(page, s.treeEntry(s.entries[next], expand))
		}
	}
	if next < len(s.entries) {
		query.Set("cursor", strconv.Itoa(next))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, endpoint(r), r.URL.EscapedPath(), query.Encode()))
	}
	answer(w, page)
}

// Bounds of a request for certain paths.
const (
	maxBody      = 1 << 20
	bodyPatience = 10 * time.Second
)

// takesPost reports whether a path may be posted to: it only asks.
func takesPost(path string) bool {
	return strings.HasPrefix(path, "/api/models/") && strings.Contains(path, "/paths-info/")
}

// pathsInfo answers with those of some paths that there are.
func (h *Handler) pathsInfo(w *writer, r *http.Request, s *site) {
	w.control.SetReadDeadline(time.Now().Add(bodyPatience))
	defer w.control.SetReadDeadline(time.Time{})
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var asked struct {
		Paths  []string `json:"paths"`
		Expand bool     `json:"expand"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var err error
	if kind == "application/json" {
		err = json.NewDecoder(r.Body).Decode(&asked)
	} else if err = r.ParseForm(); err == nil {
		asked.Paths, asked.Expand = r.Form["paths"], isTrue(r.Form.Get("expand"))
	}
	if err != nil || r.Method != http.MethodPost {
		hubError(w, http.StatusBadRequest, "", "this takes a form, or JSON, with paths")
		return
	}
	found := []treeEntry{}
	for _, p := range asked.Paths {
		p = strings.Trim(p, "/")
		at, ok := slices.BinarySearchFunc(s.entries, p, func(e entry, p string) int { return strings.Compare(e.path, p) })
		if ok {
			found = append(found, s.treeEntry(s.entries[at], asked.Expand))
		}
	}
	answer(w, found)
}

// maxHeaders bounds the headers of shards that one answer has.
const maxHeaders = 256 << 20

// safetensorsMetadata answers with the headers of all shards that an index names (hf_api.py,
// get_sharded_safetensors_metadata).
func (h *Handler) safetensorsMetadata(w *writer, r *http.Request, s *site, index string) {
	read := func(name string, whole bool) (json.RawMessage, error) {
		f, err := s.Repository.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		at, n := int64(0), int64(0)
		data := f.(io.ReaderAt)
		if info, err := f.Stat(); err != nil {
			return nil, err
		} else if n = info.Size(); !whole {
			var length [8]byte
			if err := segment.ReadFull(data, length[:], 0); err != nil {
				return nil, err
			}
			at, n = 8, min(n-8, int64(binary.LittleEndian.Uint64(length[:])&(1<<62-1)))
		}
		if n < 0 || n > maxHeaders {
			return nil, fmt.Errorf("%s: %d bytes are more than this answer can have", name, n)
		}
		b := make([]byte, n)
		return b, segment.ReadFull(data, b, at)
	}
	node, ok := s.Repository.Find(index)
	if !ok || node.File == nil || !strings.HasSuffix(index, ".index.json") {
		hubError(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	text, err := read(index, true)
	var parsed struct {
		Metadata json.RawMessage   `json:"metadata"`
		Map      map[string]string `json:"weight_map"`
	}
	if err == nil {
		err = json.Unmarshal(text, &parsed)
	}
	headers := map[string]json.RawMessage{}
	total := 0
	for _, shard := range parsed.Map {
		if headers[shard] != nil || err != nil {
			continue
		}
		headers[shard], err = read(shard, false)
		if total += len(headers[shard]); total > maxHeaders {
			err = fmt.Errorf("%s: the headers of its shards are more than this answer can have", index)
		}
	}
	if err != nil {
		h.fails(w, r, s, err)
		return
	}
	answer(w, map[string]any{"index": map[string]any{"metadata": parsed.Metadata}, "headers": headers})
}
