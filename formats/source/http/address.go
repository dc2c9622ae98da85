package http

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// Address is a URL as a user named it.
type Address struct {
	url  *url.URL
	auth string // the header Authorization, for this host alone
}

// Parse reads the URL of a file, or of a directory, which ends in a slash.
func Parse(raw string) (*Address, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s: is not a URL of the form https://HOST/PATH", Shown(raw))
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment = ""
	a := &Address{url: u}
	if u.User != nil {
		a.auth = basic(u.User)
		u.User = nil
	}
	return a, nil
}

// With is the address with what its host wants to be sent as Authorization.
func (a *Address) With(authorization string) *Address {
	return &Address{a.url, authorization}
}

// Below is the address of a path below a directory, with its query: a token may be in that.
func (a *Address) Below(name string) *Address {
	u := *a.url
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/"+name, ""
	return &Address{&u, a.auth}
}

// IsDir reports whether the address is that of a directory.
func (a *Address) IsDir() bool { return strings.HasSuffix(a.url.Path, "/") }

// Parent is the directory of a file.
func (a *Address) Parent() *Address {
	u := *a.url
	u.Path, u.RawPath = path.Dir(u.Path), ""
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return &Address{&u, a.auth}
}

// Name is the last element of the path.
func (a *Address) Name() string { return path.Base(a.url.Path) }

// String is the address for messages, lists of mounts and logs: it has no password, and of the
// query, which may be a signature, nothing but that there is one.
func (a *Address) String() string { return shown(a.url) }

func shown(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		s += "?…"
	}
	return s
}

// Shown is a URL as String has it, of any text that a user took for one.
func Shown(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	raw, _, query := strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(raw, "://"); ok {
		host, below, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			raw = scheme + "://" + host[at+1:] + strings.TrimSuffix("/"+below, "/")
		}
	}
	if query {
		raw += "?…"
	}
	return raw
}

// signatures are parameters of a query that say who may read, and not what: those of S3, Google
// Cloud Storage, CloudFront and Azure.
var signatures = []string{"x-amz-", "x-goog-", "signature", "expires", "key-pair-id", "policy", "awsaccesskeyid", "googleaccessid", "sig", "se", "st", "sp", "spr"}

// identity is the address without what may change while the file is the same.
func (a *Address) identity() string {
	u := *a.url
	query := u.Query()
	for name := range query {
		for _, s := range signatures {
			if lower := strings.ToLower(name); lower == s || strings.HasSuffix(s, "-") && strings.HasPrefix(lower, s) {
				query.Del(name)
			}
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// sameHost reports whether what is meant for one URL may be sent to another.
func sameHost(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }
