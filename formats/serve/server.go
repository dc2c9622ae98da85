package serve

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"wfs/formats/report"
	"wfs/formats/source"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// Site is a source that is served.
type Site struct {
	// Name is the first part of its paths, and the name of its repository.
	Name string
	Plan *view.Plan
	// Tree is shown below /NAME/.
	Tree *tree.Tree
	// Repository is the tree, of layout hf, that the Hub's API shows.
	Repository *tree.Tree
	// Variant tells what, beside the sources, decides on the bytes: the rules of the view and
	// the version of the program.
	Variant string
}

// Options are of all sites.
type Options struct {
	// Token is what clients must present, "" for none.
	Token string
	// Local says that the server listens on a loopback address: requests that are addressed
	// to another name are refused, because a web page could have sent them (DNS rebinding).
	Local bool
	// Log gets a line for each request, and for each source that fails.
	Log *slog.Logger
}

// namespace is the owner of all repositories.
const namespace = "local"

// Reserved reports whether a name cannot be that of a site.
func Reserved(name string) bool { return name == namespace || name == "api" }

// Handler serves sites.
type Handler struct {
	guard
	sites  []*site
	byName map[string]*site
	copier *copier
	log    *slog.Logger
}

// New makes a handler. The names of sites are one part of a path each, and differ.
func New(sites []Site, opt Options) (*Handler, error) {
	h := &Handler{guard: newGuard(opt), byName: map[string]*site{}, copier: newCopier(), log: opt.Log}
	for _, s := range sites {
		switch {
		case Reserved(s.Name), s.Name == "", s.Name == ".", s.Name == "..", strings.Contains(s.Name, "/"):
			return nil, fmt.Errorf("a source cannot be served under the name %.100q", s.Name)
		case h.byName[s.Name] != nil:
			return nil, fmt.Errorf("two sources have the name %.100q", s.Name)
		}
		made := newSite(s)
		h.byName[s.Name] = made
		h.sites = append(h.sites, made)
	}
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	out := h.copier.writer(w)
	defer func() {
		h.log.Info("request", "client", r.RemoteAddr, "method", r.Method, "path", r.URL.EscapedPath(), "range", r.Header.Get("Range"),
			"status", out.status, "bytes", out.sent, "took", time.Since(began).Round(time.Microsecond))
	}()
	out.Header().Set("X-Content-Type-Options", "nosniff")
	out.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	// What files hold is shown, and never run.
	out.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox")
	if !h.admit(out, r) {
		return
	}
	parts, ok := split(r.URL.EscapedPath())
	switch {
	case !ok:
		http.NotFound(out, r)
	case len(parts) == 0:
		h.list(out, r)
	case parts[0] == "api":
		h.api(out, r, parts[1:])
	case parts[0] == namespace:
		h.repository(out, r, parts[1:])
	default:
		s := h.byName[parts[0]]
		if s == nil { // a client of the Hub may have asked for another owner's repository
			h.noRepository(out)
			return
		}
		h.browse(out, r, s, parts)
	}
}

// split is the parts of a path, decoded. A slash at its end is not one of them.
func split(escaped string) (parts []string, ok bool) {
	escaped = strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	if escaped == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(escaped, "/") {
		part, err := url.PathUnescape(part)
		if err != nil {
			return nil, false
		}
		parts = append(parts, part)
	}
	return parts, true
}

// join is parts as a path of a URL.
func join(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// below is a path in a tree; no parts are its root.
func below(parts []string) string {
	if len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}

// browse shows a file or a directory of a site's tree.
func (h *Handler) browse(w *writer, r *http.Request, s *site, parts []string) {
	name := below(parts[1:])
	node, ok := s.Tree.Find(name)
	directory := strings.HasSuffix(r.URL.Path, "/")
	switch {
	case !ok || node.Dir == nil && directory:
		http.NotFound(w, r)
	case node.Dir == nil:
		h.file(w, r, s, s.Tree, name, node.File)
	case !directory: // relative links need the slash
		http.Redirect(w, r, join(parts...)+"/", http.StatusMovedPermanently)
	default:
		h.directory(w, r, s, parts, node.Dir)
	}
}

// file sends a file of a tree, or the ranges of it that are asked for.
func (h *Handler) file(w *writer, r *http.Request, s *site, t *tree.Tree, name string, node *tree.File) {
	f, err := t.Open(name)
	if err != nil {
		h.fails(w, r, s, err)
		return
	}
	defer f.Close()
	w.Header().Set("ETag", `"`+s.etag(name, node)+`"`)
	kind := contentType(name, node)
	w.Header().Set("Content-Type", kind)
	if kind == pageType { // which has a script of its own, to search
		w.Header().Set("Content-Security-Policy", report.Policy())
	}
	if node.Source.ModTime().Unix() > 0 {
		w.Header().Set("Cache-Control", "no-cache") // ask whether it is still the same
	}
	http.ServeContent(w, r, "", node.Source.ModTime(), f.(io.ReadSeeker))
	if w.failed != nil {
		h.log.Error("cut: what was sent is not the whole answer", "site", s.Name, "path", name, "error", w.failed)
		panic(http.ErrAbortHandler)
	}
}

// fails answers where a file cannot be opened. Clients learn why, and no path of this
// machine.
func (h *Handler) fails(w *writer, r *http.Request, s *site, err error) {
	h.log.Error("cannot be read", "site", s.Name, "error", err)
	w.Header().Set("Cache-Control", "no-store")
	if errors.Is(err, source.ErrStale) {
		hubError(w, http.StatusConflict, "", source.ErrStale.Error()+": it has to be served anew")
		return
	}
	hubError(w, http.StatusInternalServerError, "", "the source cannot be read: the server's log says why")
}

// contentTypes are those of the names that a tree shows. A page that lies in a source is
// shown as text.
var contentTypes = map[string]string{
	".json": "application/json", ".txt": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8", ".tsv": "text/tab-separated-values; charset=utf-8",
	".yaml": "text/plain; charset=utf-8", ".yml": "text/plain; charset=utf-8", ".py": "text/plain; charset=utf-8", ".jinja": "text/plain; charset=utf-8",
	".html": "text/plain; charset=utf-8", ".htm": "text/plain; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
}

const pageType = "text/html; charset=utf-8"

func contentType(name string, f *tree.File) string {
	ext := strings.ToLower(path.Ext(name))
	if ext == ".html" && f.Lazy() { // the page that wfs makes
		return pageType
	}
	if known := contentTypes[ext]; known != "" {
		return known
	}
	return "application/octet-stream"
}
