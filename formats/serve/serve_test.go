package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wfs/formats"
	"wfs/formats/report"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// weights is a .safetensors file of one tensor.
func weights(size int) []byte {
	header := fmt.Sprintf(`{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, size, size)
	header += strings.Repeat(" ", 128-len(header))
	b := append([]byte{128, 0, 0, 0, 0, 0, 0, 0}, header...)
	for i := range size {
		b = append(b, byte(i*7>>3))
	}
	return b
}

// model is a directory with some weights and other files.
func model(t *testing.T, size int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bert")
	for name, text := range map[string]string{
		"config.json": "{}", "page.html": "<script>alert(1)</script>", "<script>.txt": "x", "a b#?%.txt": "odd", "deep/x.txt": "deep",
		"model.safetensors": string(weights(size)),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// open makes a handler of a directory, under the name bert.
func open(t *testing.T, dir string, opt Options) (*Handler, *tree.Tree) {
	t.Helper()
	m, err := formats.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	plan, err := view.New(m, view.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	full, err := tree.Build(plan, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := tree.Build(plan, tree.Options{Layout: tree.HF})
	if err != nil {
		t.Fatal(err)
	}
	opt.Log = slog.New(slog.DiscardHandler)
	h, err := New([]Site{{Name: "bert", Plan: plan, Tree: full, Repository: hub, Variant: "test"}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return h, full
}

func start(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// get makes a request with headers "Name: value".
func get(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestFiles reads every file of the tree over HTTP, from the links of its listings.
func TestFiles(t *testing.T) {
	h, full := open(t, model(t, 1000), Options{})
	at := start(t, h)
	count := 0
	err := fs.WalkDir(full, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var parts []string
		if name != "." {
			parts = strings.Split(name, "/")
		}
		url := at + join(append([]string{"bert"}, parts...)...)
		if d.IsDir() {
			if resp, _ := get(t, "GET", url); resp.StatusCode != 301 || !strings.HasPrefix(resp.Header.Get("Location"), "/bert") {
				t.Errorf("%s: status %d, to %s", url, resp.StatusCode, resp.Header.Get("Location"))
			}
			resp, body := get(t, "GET", url+"/")
			if resp.StatusCode != 200 || strings.Contains(body, "<script") {
				t.Errorf("%s: status %d\n%s", url, resp.StatusCode, body)
			}
			return nil
		}
		count++
		want, err := fs.ReadFile(full, name)
		if err != nil {
			return err
		}
		resp, body := get(t, "GET", url)
		head, none := get(t, "HEAD", url)
		if body != string(want) || none != "" || head.ContentLength != int64(len(want)) || head.Header.Get("ETag") != resp.Header.Get("ETag") {
			t.Errorf("%s: status %d, %d bytes, want %d; HEAD says %d", url, resp.StatusCode, len(body), len(want), head.ContentLength)
		}
		policy := "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
		if name == "meta/report.html" {
			policy = report.Policy()
		}
		for header, wanted := range map[string]string{"X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes", "Content-Security-Policy": policy} {
			if got := resp.Header.Get(header); got != wanted {
				t.Errorf("%s: %s is %q", url, header, got)
			}
		}
		if strings.HasSuffix(name, "page.html") && resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("a page of the source is %s", resp.Header.Get("Content-Type"))
		}
		return nil
	})
	if err != nil || count < 8 {
		t.Errorf("%d files, %v", count, err)
	}
}

// TestRanges asks for parts, with and without conditions.
func TestRanges(t *testing.T) {
	dir := model(t, 1000)
	h, _ := open(t, dir, Options{})
	url := start(t, h) + "/bert/model.safetensors"
	whole := string(weights(1000))
	first, _ := get(t, "HEAD", url)
	etag := first.Header.Get("ETag")
	if len(etag) != 42 || first.Header.Get("Last-Modified") == "" {
		t.Errorf("ETag %q, Last-Modified %q", etag, first.Header.Get("Last-Modified"))
	}
	for _, c := range []struct {
		headers []string
		status  int
		body    string
	}{
		{[]string{"Range: bytes=0-0"}, 206, whole[:1]},
		{[]string{"Range: bytes=10-19"}, 206, whole[10:20]},
		{[]string{"Range: bytes=-5"}, 206, whole[len(whole)-5:]},
		{[]string{"Range: bytes=1000-"}, 206, whole[1000:]},
		{[]string{"Range: bytes=1100-9999999"}, 206, whole[1100:]},
		{[]string{"Range: bytes=5000-"}, 416, ""},
		{[]string{"Range: bytes=1-2", "If-Range: " + etag}, 206, whole[1:3]},
		{[]string{"Range: bytes=1-2", `If-Range: "other"`}, 200, whole},
		{[]string{"If-None-Match: " + etag}, 304, ""},
		{[]string{`If-Match: "other"`}, 412, ""},
	} {
		resp, body := get(t, "GET", url, c.headers...)
		if resp.StatusCode != c.status || c.status < 300 && body != c.body {
			t.Errorf("%q: status %d, %d bytes", c.headers, resp.StatusCode, len(body))
		}
	}
	if resp, body := get(t, "GET", url, "Range: bytes=0-1,4-5"); resp.StatusCode != 206 || !strings.Contains(body, "Content-Range: bytes 4-5/") {
		t.Errorf("two ranges: status %d, %q", resp.StatusCode, body)
	}
	var group sync.WaitGroup
	for k := range 8 {
		group.Go(func() {
			for i := k; i+50 < len(whole); i += 37 {
				resp, err := http.DefaultClient.Do(must(http.NewRequest("GET", url, nil)).withRange(i, i+49))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(body) != whole[i:i+50] {
					t.Errorf("bytes %d to %d differ", i, i+49)
				}
			}
		})
	}
	group.Wait()

	// The weights change, and with them their ETag, and no other file's.
	config, _ := get(t, "HEAD", strings.TrimSuffix(url, "model.safetensors")+"config.json")
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), weights(1001), 0o644); err != nil {
		t.Fatal(err)
	}
	again, _ := open(t, dir, Options{})
	now := start(t, again)
	if resp, _ := get(t, "HEAD", now+"/bert/model.safetensors"); resp.Header.Get("ETag") == etag {
		t.Error("other weights have the same ETag")
	}
	if resp, _ := get(t, "HEAD", now+"/bert/config.json"); resp.Header.Get("ETag") != config.Header.Get("ETag") {
		t.Error("a file that did not change has another ETag")
	}
	if h.sites[0].commit == again.sites[0].commit {
		t.Error("other weights are the same commit")
	}
}

type request struct{ *http.Request }

func must(r *http.Request, err error) request {
	if err != nil {
		panic(err)
	}
	return request{r}
}

func (r request) withRange(first, last int) *http.Request {
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, last))
	return r.Request
}

// TestChanged rewrites a source while it is sent: what arrives is a short answer of right
// bytes, and a new request is told.
func TestChanged(t *testing.T) {
	const size = 64 << 20
	dir := model(t, size)
	h, _ := open(t, dir, Options{})
	at := start(t, h)
	want := weights(size)
	resp, err := http.Get(at + "/bert/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make([]byte, 1<<20)
	if _, err := io.ReadFull(resp.Body, got); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "model.safetensors"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteAt(bytes.Repeat([]byte{0xff}, size), 1000)
	rest, err := io.ReadAll(resp.Body)
	got = append(got, rest...)
	if err == nil || len(got) == len(want) || !bytes.HasPrefix(want, got) {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
	for _, path := range []string{"/bert/model.safetensors", "/bert/tensors/w.npy", "/local/bert/resolve/main/model.safetensors"} {
		if resp, body := get(t, "GET", at+path); resp.StatusCode != http.StatusConflict || strings.Contains(body, dir) {
			t.Errorf("%s: status %d, %s", path, resp.StatusCode, body)
		}
	}
	if resp, _ := get(t, "GET", at+"/bert/config.json"); resp.StatusCode != 200 {
		t.Errorf("another file: status %d", resp.StatusCode)
	}
}

// TestAdmitted checks who is let in.
func TestAdmitted(t *testing.T) {
	dir := model(t, 10)
	h, _ := open(t, dir, Options{Local: true, Token: "0123456789abcdef"})
	at := start(t, h)
	const token = "Authorization: Bearer 0123456789abcdef"
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"GET", "/bert/", []string{token}, 200},
		{"GET", "/bert/", []string{"Authorization: bearer  0123456789abcdef"}, 200},
		{"GET", "/bert/", nil, 401},
		{"GET", "/api/models/local/bert", nil, 401},
		{"GET", "/bert/", []string{"Authorization: Bearer 0123456789abcdeg"}, 401},
		{"GET", "/bert/", []string{"Authorization: Bearer "}, 401},
		{"GET", "/bert/", []string{"Authorization: Basic 0123456789abcdef"}, 401},
		{"GET", "/bert/", []string{token, "Host: evil.example"}, 421},
		{"GET", "/bert/", []string{token, "Host: 127.0.0.1.evil.example:80"}, 421},
		{"GET", "/bert/", []string{token, "Host: 192.168.0.1"}, 421},
		{"GET", "/bert/", []string{token, "Host: LOCALHOST:1"}, 200},
		{"GET", "/bert/", []string{token, "Host: [::1]:8000"}, 200},
		{"POST", "/bert/config.json", []string{token}, 405},
		{"PUT", "/bert/config.json", []string{token}, 405},
		{"DELETE", "/api/models/local/bert", []string{token}, 405},
		{"POST", "/api/models/local/bert/paths-info/main", []string{token}, 200},
		{"GET", "/api/models/local/bert/paths-info/main", []string{token}, 400},
	} {
		if resp, body := get(t, c.method, at+c.path, c.headers...); resp.StatusCode != c.status {
			t.Errorf("%s %s %q: status %d, want %d\n%s", c.method, c.path, c.headers, resp.StatusCode, c.status, body)
		}
	}
	if _, err := New([]Site{h.sites[0].Site, h.sites[0].Site}, Options{}); err == nil || !strings.Contains(err.Error(), "two sources") {
		t.Errorf("two sites of one name: %v", err)
	}
	for _, name := range []string{"api", "local", "", "..", "a/b"} {
		if _, err := New([]Site{{Name: name}}, Options{}); err == nil {
			t.Errorf("a site is called %q", name)
		}
	}
}

// TestOutside asks for what is not in the tree, in ways that no client would clean.
func TestOutside(t *testing.T) {
	dir := model(t, 10)
	if err := os.WriteFile(filepath.Join(dir, "..", "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	h, _ := open(t, dir, Options{})
	at := strings.TrimPrefix(start(t, h), "http://")
	for _, path := range []string{
		"/bert/../secret", "/bert/%2e%2e/secret", "/bert/..%2fsecret", "/bert/deep/../../secret", "//bert/config.json", "/bert//config.json", "/../secret",
		"/bert/%00", "/bert/config.json/", "/bert/config.json/x", "/local/bert/resolve/main/..%2f..%2fsecret", "/local/bert/resolve/main/deep", "/local/bert/resolve/main",
		"/api/models/local/bert/tree/main/..%2f", "/api/models/local/bert/tree/main/%2e%2e", "/api/models/local/..", "/bert/%zz", "//evil.example", "//evil.example/%2e%2e",
	} {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
		answer, err := io.ReadAll(conn)
		conn.Close()
		text := string(answer)
		if err != nil || !strings.HasPrefix(text, "HTTP/1.1 40") || strings.Contains(text, "secret\n") || strings.HasSuffix(text, "secret") || strings.Contains(text, "Location:") {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
}

// TestStalled has a client that reads nothing: it is given up.
func TestStalled(t *testing.T) {
	h, _ := open(t, model(t, 64<<20), Options{})
	h.copier.patience = 200 * time.Millisecond
	ended := make(chan struct{})
	at := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(w, r)
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /bert/model.safetensors HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("a client that reads nothing is waited for")
	}
}

// TestLimit opens more connections than there may be: one that closes makes room.
func TestLimit(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 1)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	one := <-accepted
	select {
	case <-accepted:
		t.Error("a second connection is accepted")
	case <-time.After(100 * time.Millisecond):
	}
	one.Close()
	(<-accepted).Close()
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
