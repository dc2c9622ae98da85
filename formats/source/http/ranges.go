package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"wfs/formats/source"
	"wfs/formats/source/blocks"
)

// validator tells one version of a file from another.
type validator struct {
	ETag     string `json:"etag,omitempty"` // strong
	Modified string `json:"modified,omitempty"`
}

// validatorOf is that of an answer. A weak ETag does not speak of bytes.
func validatorOf(h http.Header) (v validator) {
	if etag := h.Get("ETag"); strings.HasPrefix(etag, `"`) {
		v.ETag = etag
	} else {
		v.Modified = h.Get("Last-Modified")
	}
	return v
}

// header asks for a range of that version and no other.
func (v validator) header(off, n int64) http.Header {
	h := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+n-1)}}
	switch {
	case v.ETag != "":
		h.Set("If-Match", v.ETag)
	case v.Modified != "":
		h.Set("If-Unmodified-Since", v.Modified)
	}
	return h
}

// contentRange reads "bytes 0-99/1234" (RFC 9110, 14.4).
func contentRange(h http.Header) (off, n, size int64, ok bool) {
	text, ok := strings.CutPrefix(h.Get("Content-Range"), "bytes ")
	if !ok {
		return 0, 0, 0, false
	}
	span, whole, ok := strings.Cut(text, "/")
	from, to, dash := strings.Cut(span, "-")
	if !ok || !dash {
		return 0, 0, 0, false
	}
	var numbers [3]int64
	for i, t := range []string{from, to, whole} {
		n, err := strconv.ParseUint(t, 10, 63)
		if err != nil {
			return 0, 0, 0, false
		}
		numbers[i] = int64(n)
	}
	off, n, size = numbers[0], numbers[1]-numbers[0]+1, numbers[2]
	return off, n, size, n > 0 && off+n <= size
}

// errNoRanges is what becomes of a server that has one way to give a file.
var errNoRanges = errors.New("the server gives it as a whole only, and wfs reads parts: download it first, and name the file")

// part checks that an answer is a part of a file, as it is.
func part(resp *Answer) (off, n, size int64, err error) {
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return 0, 0, 0, fmt.Errorf("the server compresses it (%.40q) though it was asked not to: download it first, and name the file", e)
	}
	if resp.StatusCode != http.StatusPartialContent {
		return 0, 0, 0, refusal(resp)
	}
	off, n, size, ok := contentRange(resp.Header)
	if !ok {
		return 0, 0, 0, fmt.Errorf("the server does not say which part it gives (Content-Range: %.100q): download it first, and name the file", resp.Header.Get("Content-Range"))
	}
	return off, n, size, nil
}

// refusal is the error of an answer that is not a part of the file.
func refusal(resp *Answer) error {
	switch code := resp.StatusCode; code {
	case http.StatusOK:
		return errNoRanges
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w on the server (%s)", fs.ErrNotExist, resp.Status)
	case http.StatusUnauthorized, http.StatusForbidden:
		if reason := resp.Header.Get("X-Error-Message"); reason != "" { // the Hub's
			return fmt.Errorf("%w by the server: %s: set HF_TOKEN to one that has access", fs.ErrPermission, strings.TrimSuffix(source.Printable(reason), "."))
		}
		return fmt.Errorf("%w by the server (%s): the address may have expired, or needs a name and a password (https://USER:PASSWORD@HOST/)", fs.ErrPermission, resp.Status)
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w: the server has another version", source.ErrStale)
	case http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: it is shorter now", source.ErrStale)
	default:
		return fmt.Errorf("the server answers %s", resp.Status)
	}
}

// place is where a file is to be had, after redirects, and its version there.
type place struct {
	url       *url.URL
	validator validator
}

// Remote is a file of a server as a blocks.Remote.
type Remote struct {
	client  *Client
	address *Address
	size    int64
	check   func(*Answer) error // nil, or asked about each answer
	want    validator           // none where each place may have its own

	mu    sync.Mutex
	place *place // nil before the first answer, and when it has expired
}

// NewRemote is a file of that size at an address, whose redirects lead to copies with ETags of
// their own. check tells by each answer that the file is still the same.
func (c *Client) NewRemote(a *Address, size int64, check func(*Answer) error) *Remote {
	return &Remote{client: c, address: a, size: size, check: check}
}

// Get implements blocks.Remote.
func (r *Remote) Get(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	r.mu.Lock()
	at := r.place
	r.mu.Unlock()
	body, err := r.get(ctx, at, off, n)
	if err != nil && at != nil && r.moved(at, err) {
		body, err = r.get(ctx, nil, off, n)
	}
	return body, err
}

// expired is the error of a place that is not the address itself and does not give the file.
type expired struct{ error }

func (e expired) Unwrap() error { return e.error }

// moved reports whether an error tells that a place has expired. Then it is forgotten, as it is
// where it cannot be reached: the next request asks for the address.
func (r *Remote) moved(at *place, err error) bool {
	_, gone := err.(expired)
	var again *blocks.Temporary
	if !gone && !errors.As(err, &again) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.place == at && !sameURL(at.url, r.address.url) {
		r.place = nil
	}
	return gone
}

// get makes a request of a place, or of the address where there is none.
func (r *Remote) get(ctx context.Context, at *place, off, n int64) (io.ReadCloser, error) {
	version, start := r.want, (*url.URL)(nil)
	if at != nil {
		version, start = at.validator, at.url
	}
	resp, err := r.client.Do(ctx, r.address, start, version.header(off, n))
	if err != nil {
		return nil, err
	}
	if err := r.accept(resp, version, off, n); err != nil {
		resp.Body.Close()
		// Signed addresses expire, and caches of a CDN go away.
		if at != nil && !sameURL(at.url, r.address.url) && resp.StatusCode >= 400 {
			return nil, expired{err}
		}
		return nil, err
	}
	if at == nil {
		r.mu.Lock()
		r.place = &place{resp.At, validatorOf(resp.Header)}
		r.mu.Unlock()
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, n), resp.Body}, nil
}

func sameURL(a, b *url.URL) bool { return *a == *b }

// accept checks an answer.
func (r *Remote) accept(resp *Answer, want validator, off, n int64) error {
	from, have, size, err := part(resp)
	switch {
	case err != nil && resp.StatusCode == http.StatusOK && want != (validator{}) && validatorOf(resp.Header) != want:
		return fmt.Errorf("%w: the server has another version", source.ErrStale)
	case err != nil:
		return err
	case size != r.size:
		return fmt.Errorf("%w: it had %d bytes, and has %d", source.ErrStale, r.size, size)
	case want != (validator{}) && validatorOf(resp.Header) != want:
		return fmt.Errorf("%w: the server has another version", source.ErrStale)
	case from != off || have != n:
		return fmt.Errorf("the server gives %d bytes from %d on where %d from %d on were asked for: download it first, and name the file", have, from, n, off)
	case r.check != nil:
		return r.check(resp)
	}
	return nil
}
