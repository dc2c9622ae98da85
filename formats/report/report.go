package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wfs/formats/audit"
	"wfs/formats/checkpoint"
	"wfs/formats/quantity"
	"wfs/formats/source"
	"wfs/formats/view"
)

// Options are what a page tells beside the plan.
type Options struct {
	// Reports are what the pickles of the sources would do; nil where nothing is unpickled.
	Reports func() ([]*audit.Report, error)
	// Stats are of canonical tensors; nil for a page without values.
	Stats Stats
	// Notes are further remarks, beside those of the plan.
	Notes []string
}

// Bounds of a page. Beyond them it says what is left out, and where it is.
const (
	maxRows   = 20_000    // tensors, each by itself
	maxGroups = 2_000     // of tensors
	maxItems  = 1_000     // rows of other tables
	maxText   = 256 << 10 // bytes of a text from the sources
)

//go:embed style.css
var style string

//go:embed search.js
var script string

//go:embed page.html
var pageText string

// page is what the template shows.
type page struct {
	Policy  string
	Style   template.CSS
	Script  template.JS
	Title   string
	Sources []sourceRow
	Notes   []string

	Tensors, Parameters, Bytes, Tied int64
	Map                              []rect
	DTypes                           []dtypeRow
	Groups                           []*group
	CutRows, CutGroups               int64
	TiedRows                         []pair
	CutTied                          int64
	Omitted                          []pair
	CutOmitted                       int64
	Verdict                          string
	Reports                          []document
	Metadata                         []pair
	CutMetadata                      int64
	Objects                          []document
	HasStats                         bool
	Findings, MoreFindings           []finding
}

// sourceRow is a weight file.
type sourceRow struct {
	File, Format, Root, View string
	Size                     int64
	Modified                 string
	Tensors                  int64
}

// pair is a key and what is said of it.
type pair struct{ Key, Text string }

// document is a text from the sources, under a title.
type document struct {
	Title, Verdict, Text string
	Cut                  bool
}

// dtypeRow is the share of a dtype.
type dtypeRow struct {
	Name           string
	Tensors, Bytes int64
	X, Width       float64 // in per mille of the bytes
	Class          int
}

// group is tensors with a prefix in common.
type group struct {
	Prefix         string
	Tensors, Bytes int64
	Parameters     int64
	Rows           []row
	kind           string
}

// row is a tensor.
type row struct {
	Key, DType, Shape string
	Bytes             int64
	Note              string
	Stat              *statRow
}

// Write writes the page.
func Write(w io.Writer, plan *view.Plan, opt Options) error {
	p := &page{
		Policy: Policy(), Style: template.CSS(style), Script: template.JS(script), Title: text(filepath.Base(plan.Model.Path)),
		HasStats: opt.Stats != nil,
	}
	for _, note := range slices.Concat(plan.Notes(), opt.Notes) {
		if len(p.Notes) < maxItems {
			p.Notes = append(p.Notes, long(note))
		}
	}
	p.sources(plan)
	p.tensors(plan, opt.Stats)
	const shown = 12
	if len(p.Findings) > shown+3 {
		p.Findings, p.MoreFindings = p.Findings[:shown], p.Findings[shown:]
	}
	if err := p.reports(opt.Reports); err != nil {
		return err
	}
	p.objects(plan)
	made, err := template.New("page").Funcs(template.FuncMap{"size": quantity.Bytes, "count": count, "number": number, "exact": exact}).Parse(pageText)
	if err != nil {
		return err
	}
	return made.Execute(w, p)
}

func (p *page) sources(plan *view.Plan) {
	metadata := map[string]string{}
	for _, set := range plan.Sets {
		for i, s := range set.Shards {
			if len(p.Sources) < maxItems {
				p.Sources = append(p.Sources, sourceRow{
					File: text(set.Join(s.Source.Name())), Format: s.Format, Root: text(s.Root), View: text(set.Join(s.ViewName)),
					Size: s.Source.Size(), Modified: s.Source.ModTime().UTC().Format("2006-01-02 15:04 UTC"), Tensors: int64(len(s.Tensors)),
				})
			}
			for _, o := range s.Omitted {
				if len(p.Omitted) < maxItems {
					p.Omitted = append(p.Omitted, pair{text(set.Qualify(o.Key)), long(o.Reason)})
				} else {
					p.CutOmitted++
				}
			}
			if i < len(set.Files) {
				maps.Copy(metadata, set.Files[i].Metadata)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if len(p.Metadata) < maxItems {
			p.Metadata = append(p.Metadata, pair{text(key), long(metadata[key])})
		} else {
			p.CutMetadata++
		}
	}
}

// tensors fills the tables and the map. It goes over all tensors, and keeps rows of some.
func (p *page) tensors(plan *view.Plan, stats Stats) {
	groups := map[string]*group{}
	dtypes := map[checkpoint.DType]*dtypeRow{}
	rows := 0
	rest := &group{Prefix: "everything else", kind: "everything else"}
	for of, t := range plan.Shown.Tensors() {
		key := of.Set.Qualify(t.Key)
		prefix := prefixOf(key, of.Separator)
		g := groups[prefix]
		switch {
		case g != nil:
		case len(groups) < maxGroups:
			g = &group{Prefix: text(prefix), kind: kindOf(prefix)}
			groups[prefix] = g
			p.Groups = append(p.Groups, g)
		default:
			g = rest
			p.CutGroups++
		}
		r := row{Key: text(key), DType: t.DType.String(), Shape: shape(t.Shape), Bytes: t.Data.Size()}
		g.Tensors++
		p.Tensors++
		switch {
		case t.Tied != nil:
			p.Tied++
			r.Note = "tied to " + text(t.Tied.Key)
			if len(p.TiedRows) < maxItems {
				p.TiedRows = append(p.TiedRows, pair{r.Key, text(t.Tied.Key)})
			} else {
				p.CutTied++
			}
		default:
			n := elements(t.Shape)
			g.Bytes, g.Parameters = g.Bytes+r.Bytes, g.Parameters+n
			p.Bytes, p.Parameters = p.Bytes+r.Bytes, p.Parameters+n
			d := dtypes[t.DType]
			if d == nil {
				d = &dtypeRow{Name: t.DType.String()}
				dtypes[t.DType] = d
			}
			d.Tensors, d.Bytes = d.Tensors+1, d.Bytes+r.Bytes
		}
		if t.Hidden != "" {
			r.Note = strings.TrimPrefix(r.Note+"; not in the view: "+long(t.Hidden), "; ")
		}
		s := stats[t.Canonical()]
		if s != nil && t.Tied == nil {
			p.find(r.Key, s)
		}
		if rows++; rows > maxRows {
			p.CutRows++
			continue
		}
		if s != nil {
			r.Stat = s.row()
		}
		g.Rows = append(g.Rows, r)
	}
	if rest.Tensors > 0 {
		p.Groups = append(p.Groups, rest)
	}
	for _, d := range dtypes {
		p.DTypes = append(p.DTypes, *d)
	}
	slices.SortFunc(p.DTypes, func(a, b dtypeRow) int {
		if a.Bytes != b.Bytes {
			return cmp.Compare(b.Bytes, a.Bytes)
		}
		return strings.Compare(a.Name, b.Name)
	})
	x := 0.0
	for i := range p.DTypes {
		d := &p.DTypes[i]
		d.X, d.Width, d.Class = x, 1000*float64(d.Bytes)/float64(max(p.Bytes, 1)), i%colours
		x += d.Width
	}
	p.Map = treemap(p.Groups)
}

func (p *page) reports(read func() ([]*audit.Report, error)) error {
	if read == nil {
		return nil
	}
	all, err := read()
	if err != nil {
		return err
	}
	worst := audit.Verdict(0)
	for i, r := range all {
		worst = max(worst, r.Verdict)
		verdict := r.Verdict.String()
		if r.Empty() {
			verdict = "nothing found"
		}
		if i < maxItems {
			p.Reports = append(p.Reports, documentOf(text(r.File), verdict, r.Text()))
		}
	}
	if len(all) > 0 {
		p.Verdict = worst.String()
	}
	return nil
}

func (p *page) objects(plan *view.Plan) {
	for set, s := range plan.Model.Shards() {
		if s.Objects == nil || len(p.Objects) >= maxItems {
			continue
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if enc.Encode(s.Objects) == nil {
			p.Objects = append(p.Objects, documentOf(text(set.Join(s.Source.Name())), "", b.String()))
		}
	}
}

func documentOf(title, verdict, body string) document {
	cut := len(body) > maxText
	if cut {
		body = body[:maxText]
	}
	return document{Title: title, Verdict: verdict, Text: visible(body), Cut: cut}
}

// prefixOf is the part of a key that puts it into a group: up to the first part that is a
// number, as of a layer, and five parts at most.
func prefixOf(key, separator string) string {
	const deepest = 5
	at, depth := 0, 0
	for depth < deepest {
		next := strings.Index(key[at:], separator)
		if next < 0 || separator == "" {
			break
		}
		part := key[at : at+next]
		at += next + len(separator)
		depth++
		if isNumber(part) {
			break
		}
	}
	if at == 0 {
		return path.Dir(key) // "." where there is nothing in front
	}
	return key[:at-len(separator)]
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// kindOf is a prefix without the numbers in it: layers are of one kind.
func kindOf(prefix string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, prefix)
}

// text is a name from a source as the page shows it.
func text(s string) string { return source.Printable(s) }
