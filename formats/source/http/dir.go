package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/source"
)

// Dir is a directory of a server. It lists what the server's own index names.
type Dir struct {
	client  *Client
	address *Address
}

// Dir makes one. Nothing is asked yet.
func (c *Client) Dir(a *Address) *Dir { return &Dir{c, a} }

// Path implements source.Dir.
func (d *Dir) Path() string { return strings.TrimSuffix(d.address.String(), "/") }

// Open implements source.Dir.
func (d *Dir) Open(name string) (source.Source, error) {
	return d.client.Open(context.Background(), d.address.Below(name))
}

// Sub implements source.Nested.
func (d *Dir) Sub(name string) (source.Dir, error) {
	return &Dir{d.client, d.address.Below(name + "/")}, nil
}

// Close implements source.Dir.
func (d *Dir) Close() error { return nil }

// maxListing bounds the index of a directory.
const maxListing = 16 << 20

// List implements source.Dir: by the JSON that Caddy and nginx (autoindex_format json) give, or
// by the links of the page that others have for people.
func (d *Dir) List(name string) ([]source.Entry, error) {
	at := d.address
	if name != "" {
		at = at.Below(name + "/")
	}
	var entries []source.Entry
	err := d.client.Try(context.Background(), func(ctx context.Context) error {
		resp, err := d.client.Do(ctx, at, nil, http.Header{"Accept": {"application/json, text/html;q=0.5"}})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			if code := resp.StatusCode; code == http.StatusForbidden || code == http.StatusNotFound {
				return fmt.Errorf("the server has no list of it (%s): name a file of it, such as its index.json or model.safetensors", resp.Status)
			}
			return refusal(resp)
		}
		page, err := io.ReadAll(io.LimitReader(resp.Body, maxListing+1))
		if err == nil && len(page) > maxListing {
			err = fmt.Errorf("the list of it is longer than %d bytes", maxListing)
		}
		if err != nil {
			return err
		}
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		switch kind {
		case "application/json":
			entries, err = jsonEntries(page)
		case "text/html":
			entries = linkEntries(resp.At, page)
		default:
			err = fmt.Errorf("the server gives %.100q for the list of it: name a file of it, such as its index.json", kind)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	slices.SortFunc(entries, func(a, b source.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(entries, func(a, b source.Entry) bool { return a.Name == b.Name }), nil
}

// jsonEntries reads [{"name": "a.bin", "type": "file"}, {"name": "unet/", "is_dir": true}].
func jsonEntries(page []byte) ([]source.Entry, error) {
	var list []struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		IsDir bool   `json:"is_dir"`
	}
	if json.Unmarshal(page, &list) != nil {
		return nil, errors.New("the server gives JSON that is not a list of files: name a file of it, such as its index.json")
	}
	var entries []source.Entry
	for _, e := range list {
		name, slash := strings.CutSuffix(e.Name, "/")
		entries = appendEntry(entries, name, slash || e.IsDir || e.Type == "directory")
	}
	return entries, nil
}

// link is one of a page in HTML.
var link = regexp.MustCompile(`(?i)<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')`)

// linkEntries are the links of a page to what lies below it.
func linkEntries(at *url.URL, page []byte) []source.Entry {
	var entries []source.Entry
	for _, m := range link.FindAllSubmatch(page, -1) {
		to, err := at.Parse(html.UnescapeString(string(m[1]) + string(m[2])))
		if err != nil || !sameHost(to, at) || to.RawQuery != "" {
			continue
		}
		name, below := strings.CutPrefix(to.Path, strings.TrimSuffix(at.Path, "/")+"/")
		name, isDir := strings.CutSuffix(name, "/")
		if below {
			entries = appendEntry(entries, name, isDir)
		}
	}
	return entries
}

// appendEntry adds what can be the name of a file.
func appendEntry(entries []source.Entry, name string, isDir bool) []source.Entry {
	if name == "" || name == "." || name == ".." || path.Base(name) != name || strings.ContainsAny(name, "\\\x00") {
		return entries
	}
	kind := source.File
	if isDir {
		kind = source.Directory
	}
	return append(entries, source.Entry{Name: name, Kind: kind})
}
