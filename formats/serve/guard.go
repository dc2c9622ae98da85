package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// guard decides who is let in.
type guard struct {
	token  [sha256.Size]byte // a hash, so that a comparison takes the same time for all lengths
	secret bool              // there is a token
	local  bool
}

func newGuard(opt Options) guard {
	return guard{token: sha256.Sum256([]byte(opt.Token)), secret: opt.Token != "", local: opt.Local}
}

// admit reports whether a request may go on, and answers it where it may not.
func (g guard) admit(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case g.local && !loopbackName(r.Host):
		http.Error(w, "this server answers to localhost and 127.0.0.1 alone", http.StatusMisdirectedRequest)
	case g.secret && !g.knows(r.Header.Get("Authorization")):
		w.Header().Set("WWW-Authenticate", "Bearer")
		hubError(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodPost && takesPost(r.URL.Path):
		return true
	default:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "everything here is read-only", http.StatusMethodNotAllowed)
	}
	return false
}

// knows reports whether a request has the token.
func (g guard) knows(authorization string) bool {
	scheme, token, _ := strings.Cut(authorization, " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

// loopbackName reports whether a Host header names this machine in a way that no DNS server
// elsewhere has a say in.
func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761, 6.3
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
