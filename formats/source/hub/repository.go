package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"wfs/formats/source"
	"wfs/formats/source/http"
)

// Hub opens repositories.
type Hub struct {
	env    Environment
	client *http.Client
}

// New makes a Hub.
func New(env Environment, client *http.Client) *Hub { return &Hub{env, client} }

// commitHash is a commit by its whole hash.
var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// repository is a repository at a commit.
type repository struct {
	*Hub
	Name
	Commit   string    `json:"sha"`
	Modified time.Time `json:"lastModified"`
}

// node is an entry of the tree of a commit.
type node struct {
	Type string `json:"type"` // file or directory
	OID  string `json:"oid"`
	Size int64  `json:"size"`
	Path string `json:"path"`
	LFS  *struct {
		OID string `json:"oid"`
	} `json:"lfs,omitempty"`
}

// hash is what the file is known by: the SHA-256 of one in LFS or Xet, else git's of a blob.
func (n node) hash() string {
	if n.LFS != nil && n.LFS.OID != "" {
		return n.LFS.OID
	}
	return n.OID
}

// errOffline is why nothing is asked.
var errOffline = errors.New("HF_HUB_OFFLINE is set, and it was not opened or downloaded before")

// Open opens a repository as a directory.
func (h *Hub) Open(ctx context.Context, n Name) (source.Dir, error) {
	dir, err := h.open(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.given, err)
	}
	return dir, nil
}

func (h *Hub) open(ctx context.Context, n Name) (source.Dir, error) {
	if u, err := url.Parse(h.env.Endpoint); err != nil || u.Host == "" {
		return nil, errors.New("HF_ENDPOINT is not a URL")
	}
	r := &repository{Hub: h, Name: n}
	err := r.pin(ctx)
	if err == nil {
		var tree []node
		if tree, err = r.tree(ctx); err == nil {
			return newDir(r, tree)
		}
	}
	// Without the Hub there is what was downloaded of the commit; whether that is all, nobody knows.
	if !errors.Is(err, errOffline) && !http.Offline(err) || r.Commit == "" {
		return nil, err
	}
	local, missing := source.OpenDir(r.snapshot(""))
	if missing != nil {
		return nil, err
	}
	h.client.Note(fmt.Sprintf("%s: it is shown as huggingface_hub has downloaded it, commit %s: files that were not downloaded are left out", n.given, r.Commit))
	return local, nil
}

// snapshot is a file of the commit in the cache of huggingface_hub.
func (r *repository) snapshot(file string) string {
	return filepath.Join(r.env.Cache, r.folder(), "snapshots", r.Commit, filepath.FromSlash(file))
}

// pin finds the commit of the revision.
func (r *repository) pin(ctx context.Context) error {
	note := "hub " + r.env.Endpoint + " " + r.kind + "/" + r.repo + "@" + r.revision
	var err error
	if !r.env.Offline && !commitHash.MatchString(r.revision) {
		err = r.get(ctx, r.api()+"/revision/"+url.PathEscape(r.revision), "", func(body []byte, _ nethttp.Header) error {
			if json.Unmarshal(body, r) != nil || !commitHash.MatchString(r.Commit) {
				return errors.New("the Hub does not say which commit it is")
			}
			return nil
		})
		if err == nil {
			if text, err := json.Marshal(r); err == nil {
				r.client.Cache().SetNote(note, text)
			}
			return nil
		}
		if !http.Offline(err) {
			return err
		}
	}
	if commitHash.MatchString(r.revision) {
		r.Commit = r.revision
		return nil
	}
	text, at := r.client.Cache().Note(note)
	if text != nil && json.Unmarshal(text, r) == nil && commitHash.MatchString(r.Commit) {
		r.client.Note(fmt.Sprintf("%s: the Hub was not asked: it is shown as it was on %s, commit %s", r.given, at.Format(time.DateTime), r.Commit))
		return nil
	}
	if !filepath.IsLocal(r.revision) {
		return errOffline
	}
	ref, missing := os.ReadFile(filepath.Join(r.env.Cache, r.folder(), "refs", filepath.FromSlash(r.revision)))
	if r.Commit = strings.TrimSpace(string(ref)); missing != nil || !commitHash.MatchString(r.Commit) {
		r.Commit = ""
		if err != nil {
			return err
		}
		return errOffline
	}
	return nil
}

// Bounds of a listing.
const (
	maxPages = 1000
	maxPage  = 32 << 20
	maxNodes = 200_000
)

// tree lists the commit. It never changes, so that it is asked for once.
func (r *repository) tree(ctx context.Context) (all []node, err error) {
	note := "hub tree " + r.env.Endpoint + " " + r.kind + "/" + r.repo + "@" + r.Commit
	if text, _ := r.client.Cache().Note(note); text != nil && json.Unmarshal(text, &all) == nil && len(all) > 0 {
		return all, nil
	}
	if r.env.Offline {
		return nil, errOffline
	}
	all = nil
	next := ""
	for page := 0; page == 0 || next != ""; page++ {
		query := "recursive=true"
		if page > 0 {
			query = next
		}
		next = ""
		err = r.get(ctx, r.api()+"/tree/"+r.Commit, query, func(body []byte, h nethttp.Header) error {
			var some []node
			if json.Unmarshal(body, &some) != nil {
				return errors.New("the Hub does not list its files")
			}
			all = append(all, some...)
			next = nextPage(h)
			return nil
		})
		if err == nil && (len(all) > maxNodes || page > maxPages) {
			err = fmt.Errorf("it has more than %d files: name one of them", maxNodes)
		}
		if err != nil {
			return nil, err
		}
	}
	if text, err := json.Marshal(all); err == nil {
		r.client.Cache().SetNote(note, text)
	}
	return all, nil
}

var nextLink = regexp.MustCompile(`<([^>]*)>;\s*rel="next"`)

// nextPage is the query of the page that follows (RFC 8288). Its host and path are ours.
func nextPage(h nethttp.Header) string {
	m := nextLink.FindStringSubmatch(h.Get("Link"))
	if m == nil {
		return ""
	}
	u, err := url.Parse(m[1])
	if err != nil {
		return ""
	}
	return u.RawQuery
}

// address is a path of the endpoint.
func (r *repository) address(below, query string) (*http.Address, error) {
	u, err := url.Parse(r.env.Endpoint)
	if err != nil {
		return nil, errors.New("HF_ENDPOINT is not a URL")
	}
	u = u.JoinPath(below)
	u.RawQuery = query
	a, err := http.Parse(u.String())
	if err == nil && r.env.token != "" {
		a = a.With("Bearer " + r.env.token)
	}
	return a, err
}

// get asks the API.
func (r *repository) get(ctx context.Context, below, query string, use func([]byte, nethttp.Header) error) error {
	a, err := r.address(below, query)
	if err != nil {
		return err
	}
	return r.client.Try(ctx, func(ctx context.Context) error {
		resp, err := r.client.Do(ctx, a, nil, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != nethttp.StatusOK {
			return r.refusal(resp)
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
		if err == nil && len(body) > maxPage {
			err = errors.New("the Hub's answer is too long")
		}
		if err != nil {
			return err
		}
		return use(body, resp.Header)
	})
}

// refusal is the Hub's own reason for an answer, and what to do about it.
func (r *repository) refusal(resp *http.Answer) error {
	reason := resp.Header.Get("X-Error-Message")
	if reason == "" {
		reason = resp.Status
	}
	reason = strings.TrimSuffix(source.Printable(reason), ".")
	code := resp.Header.Get("X-Error-Code")
	what, kind := "", error(nil)
	switch {
	case code == "RevisionNotFound":
		what = fmt.Sprintf("it has no revision %q", r.revision)
	case code == "GatedRepo" || resp.StatusCode == nethttp.StatusForbidden:
		what, kind = "it is gated: ask for access on its page, and set HF_TOKEN", errRefused
		if r.env.token != "" {
			what = "it is gated, and the token has no access: ask for it on its page"
		}
	case code == "RepoNotFound" || resp.StatusCode == nethttp.StatusUnauthorized || resp.StatusCode == nethttp.StatusNotFound:
		what = "it is not there, or private: for that set HF_TOKEN"
		if r.env.token != "" {
			what = "it is not there, or private and the token has no access"
		}
	default:
		what = "the Hub refuses"
	}
	if kind != nil {
		return fmt.Errorf("%w (%s): %s", kind, reason, what)
	}
	return fmt.Errorf("%s (%s)", what, reason)
}

var errRefused = errors.New("refused by the Hub")

// within is the base name below a directory, and whether that is all.
func within(dir, name string) (first string, more, ok bool) {
	if dir != "" {
		if name, ok = strings.CutPrefix(name, dir+"/"); !ok {
			return "", false, false
		}
	}
	first, _, more = strings.Cut(name, "/")
	return first, more, first != "" && path.Clean("/"+name) == "/"+name
}
