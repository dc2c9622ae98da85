package http

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"wfs/formats/source/blocks"
)

// Client makes the requests of any number of files.
type Client struct {
	agent    string
	web      *http.Client
	cache    *blocks.Cache
	patience blocks.Patience

	mu    sync.Mutex
	notes []string
}

// New makes a client whose files keep their blocks in cache. agent is what it calls itself.
func New(cache *blocks.Cache, patience blocks.Patience, agent string) *Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &Client{
		agent: agent, cache: cache, patience: patience,
		web: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second,
				DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
				// HTTP/2 would have all ranges share one connection, and its window.
				TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
			},
		},
	}
}

// Notes takes the remarks for the user on what was opened.
func (c *Client) Notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	notes := c.notes
	c.notes = nil
	return notes
}

// Note adds one.
func (c *Client) Note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, text)
}

// Cache is what the client keeps blocks in.
func (c *Client) Cache() *blocks.Cache { return c.cache }

// maxRedirects is what browsers and curl take, about.
const maxRedirects = 10

// Answer is the end of redirects: a response whose body its user closes.
type Answer struct {
	*http.Response
	At *url.URL
	// Hops are the headers of the redirects.
	Hops []http.Header
}

// Do makes a request of an address, or of a URL that its redirects led to, and follows redirects.
// Authorization goes to the host of the address alone. The error of a server that cannot be
// reached is blocks.Temporary, as are answers that say so.
func (c *Client) Do(ctx context.Context, a *Address, at *url.URL, header http.Header) (*Answer, error) {
	if at == nil {
		at = a.url
	}
	var hops []http.Header
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, errors.New("a redirect leads to what is not a URL")
		}
		for name, values := range header {
			r.Header[name] = values
		}
		r.Header.Set("User-Agent", c.agent)
		// A body that was compressed has other offsets. nginx then ignores ranges altogether.
		r.Header.Set("Accept-Encoding", "identity")
		if a.auth != "" && sameHost(at, a.url) {
			r.Header.Set("Authorization", a.auth)
		}
		resp, err := c.web.Do(r)
		if err != nil {
			return nil, unreachable(at, err)
		}
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return &Answer{resp, at, hops}, temporary(resp)
		}
		resp.Body.Close()
		if hops = append(hops, resp.Header); len(hops) > maxRedirects {
			return nil, fmt.Errorf("the server redirects more than %d times", maxRedirects)
		}
		next, err := at.Parse(resp.Header.Get("Location"))
		switch {
		case err != nil || next.Host == "" || next.Scheme != "http" && next.Scheme != "https":
			return nil, errors.New("the server redirects to what is not a URL")
		case at.Scheme == "https" && next.Scheme == "http":
			return nil, fmt.Errorf("the server redirects from https to %s, where anybody could change the bytes", shown(next))
		}
		next.User = nil
		at = next
	}
}

// unreachable is the error of a request without an answer. It does not have the URL, which may
// be signed.
func unreachable(at *url.URL, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Errorf("there is no host %s: %w", at.Hostname(), errOffline)
	case errors.As(err, &certificate):
		return fmt.Errorf("the certificate of %s is not to be trusted: %w", at.Host, certificate.Err)
	}
	return &blocks.Temporary{Err: fmt.Errorf("%w: %s: %w", errOffline, at.Host, err)}
}

// errOffline says that no server has answered.
var errOffline = errors.New("the server cannot be reached")

// Offline reports whether an error is that no server has answered.
func Offline(err error) bool { return errors.Is(err, errOffline) }

// temporary is an error for answers after which the same request may succeed, and closes them.
func temporary(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		resp.Body.Close()
		return &blocks.Temporary{Err: fmt.Errorf("the server answers %s", resp.Status), After: retryAfter(resp.Header)}
	}
	return nil
}

// retryAfter is how long the server wants to be left alone (RFC 9110, 10.2.3).
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

func basic(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// openTries is how often a request is made of a server that cannot be reached before anything
// was opened: who has mistyped a host should not wait for a minute.
const openTries = 3

// Try makes requests until one succeeds, or fails for good, or nothing was reached for the
// timeout of the client.
func (c *Client) Try(ctx context.Context, request func(context.Context) error) error {
	began := time.Now()
	for attempt := 0; ; attempt++ {
		once, cancel := context.WithTimeoutCause(ctx, c.patience.Timeout/2, errSlow)
		err := request(once)
		slow := context.Cause(once) == errSlow
		cancel()
		if err != nil && slow {
			err = &blocks.Temporary{Err: errSlow}
		}
		var again *blocks.Temporary
		if err == nil || !errors.As(err, &again) || ctx.Err() != nil {
			return err
		}
		pause := again.After + blocks.Pause(attempt)
		if time.Since(began)+pause > c.patience.Timeout || Offline(err) && attempt+1 >= openTries {
			if again.After > 0 {
				return fmt.Errorf("%w: the server wants to be left alone for %v", err, again.After)
			}
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var errSlow = errors.New("the server does not answer")

// Patience is how long the client waits.
func (c *Client) Patience() blocks.Patience { return c.patience }
