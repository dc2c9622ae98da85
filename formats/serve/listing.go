package serve

import (
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"wfs/formats/tree"
)

// pageSize is how many entries a listing shows at once.
const pageSize = 1000

// listed is a row of a listing.
type listed struct{ Name, Link, Size, Modified string }

// page is a listing.
type page struct {
	Title string
	// Usage are lines for a shell, of the page of all sources.
	Usage      []string
	Up         bool
	Rows       []listed
	Count      int
	Prev, Next string
}

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.2rem; overflow-wrap: anywhere }
pre { padding: .75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px; overflow-x: auto }
table { border-collapse: collapse; width: 100% }
td { padding: .15rem 1.5rem .15rem 0; vertical-align: top; overflow-wrap: anywhere }
td + td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; opacity: .75 }
tr:hover { background: color-mix(in srgb, currentColor 6%, transparent) }
a { text-decoration: none } a:hover { text-decoration: underline }
</style>
<h1>{{.Title}}</h1>
{{with .Usage}}<pre>{{range .}}{{.}}
{{end}}</pre>
{{end}}<table>
{{if .Up}}<tr><td><a href="../">../</a><td><td>
{{end}}{{range .Rows}}<tr><td><a href="{{.Link}}"><bdi>{{.Name}}</bdi></a><td>{{.Size}}<td>{{.Modified}}
{{end}}</table>
{{if or .Prev .Next}}<p>{{.Count}} entries {{with .Prev}}<a href="{{.}}">previous</a> {{end}}{{with .Next}}<a href="{{.}}">next</a>{{end}}
{{end}}`))

func (p *page) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method == http.MethodHead {
		return
	}
	pageTemplate.Execute(w, p) // what fails is the connection
}

// list is the page of all sources.
func (h *Handler) list(w *writer, r *http.Request) {
	p := &page{Title: "wfs"}
	for _, s := range h.sites {
		p.Rows = append(p.Rows, listed{Name: s.Name + "/", Link: join(s.Name) + "/", Modified: s.Tree.ModTime.UTC().Format("2006-01-02 15:04")})
	}
	for _, s := range h.sites {
		if s.hasRepository() {
			p.Usage = append(p.Usage, "export HF_ENDPOINT="+endpoint(r),
				fmt.Sprintf(`python -c 'from transformers import AutoModel; AutoModel.from_pretrained("%s/%s")'`, namespace, s.Name))
			break
		}
	}
	p.write(w, r)
}

// directory lists a directory of a tree.
func (h *Handler) directory(w *writer, r *http.Request, s *site, parts []string, d *tree.Dir) {
	first, _ := strconv.Atoi(r.URL.Query().Get("from"))
	first = min(max(first, 0), d.Len())
	last := min(first+pageSize, d.Len())
	p := &page{Title: strings.Join(parts, "/") + "/", Up: true, Count: d.Len()}
	for i := first; i < last; i++ {
		name, node := d.Entry(i)
		row := listed{Name: name, Link: "./" + url.PathEscape(name)}
		if node.Dir != nil {
			row.Name, row.Link = name+"/", row.Link+"/"
		} else {
			row.Modified = node.File.Source.ModTime().UTC().Format("2006-01-02 15:04")
			if !node.File.Lazy() { // whose size is not known before it was made
				row.Size = strconv.FormatInt(node.File.Size(), 10)
			}
		}
		p.Rows = append(p.Rows, row)
	}
	if first > 0 {
		p.Prev = fmt.Sprintf("?from=%d", max(0, first-pageSize))
	}
	if last < d.Len() {
		p.Next = fmt.Sprintf("?from=%d", last)
	}
	p.write(w, r)
}

// endpoint is the address by which a client has reached the server.
func endpoint(r *http.Request) string { return "http://" + r.Host }

// errorLog is where net/http tells of what goes wrong with connections.
func errorLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }
