package http

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"wfs/formats/source"
)

func TestAddresses(t *testing.T) {
	for raw, want := range map[string][2]string{
		"https://joe:secret@host/a%20b.pt?X-Amz-Signature=5&id=7#x": {"https://host/a%20b.pt?…", "https://host/a%20b.pt?id=7"},
		"http://host:8080":          {"http://host:8080/", "http://host:8080/"},
		"https://h/d/?sig=1&sv=2":   {"https://h/d/?…", "https://h/d/?sv=2"},
		"https://h/x?token=1&id=2":  {"https://h/x?…", "https://h/x?id=2&token=1"},
		"https://h/@x":              {"https://h/@x", "https://h/@x"},
		"https://h/x?Expires=1&a=b": {"https://h/x?…", "https://h/x?a=b"},
	} {
		a, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if a.String() != want[0] || a.identity() != want[1] {
			t.Errorf("%s is shown as %s, and is %s", raw, a, a.identity())
		}
		if shown := Shown(raw); shown != want[0] && shown+"/" != want[0] {
			t.Errorf("%s is shown as %s", raw, shown)
		}
	}
	for _, raw := range []string{"https://", "https://joe:secret@%zz/", "ftp://host/x", "https:///x"} {
		if a, err := Parse(raw); err == nil {
			t.Errorf("%s is %v", raw, a)
		}
	}
	if shown := Shown("https://joe:sec%ret@host/x?sig=5"); shown != "https://host/x?…" {
		t.Error(shown)
	}
}

func TestContentRange(t *testing.T) {
	for text, want := range map[string][3]int64{
		"bytes 0-0/1": {0, 1, 1}, "bytes 5-9/10": {5, 5, 10},
		"": {}, "bytes */10": {}, "bytes 0-9/*": {}, "bytes 5-4/10": {}, "bytes 5-10/10": {}, "bytes -1-2/10": {}, "items 0-0/1": {},
		"bytes 0-9223372036854775807/9223372036854775807": {}, "bytes 18446744073709551615-0/1": {},
	} {
		off, n, size, ok := contentRange(http.Header{"Content-Range": {text}})
		if ok != (want != [3]int64{}) || ok && [3]int64{off, n, size} != want {
			t.Errorf("%q: %d bytes from %d on of %d, %v", text, n, off, size, ok)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	in := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, in: time.Minute, "Thu, 01 Jan 1970 00:00:00 GMT": 0} {
		if got := retryAfter(http.Header{"Retry-After": {text}}); got > want || got < want-2*time.Second {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Lists name what lies below, and nothing else, whatever a server writes.
func TestListings(t *testing.T) {
	want := fmt.Sprint([]source.Entry{{Name: "a b.bin", Kind: source.File}, {Name: "unet", Kind: source.Directory}})
	at, _ := url.Parse("http://host/models/")
	page := `<a href="../">..</a><A class=x HREF='a%20b.bin'>a</A> <a href="unet/">u</a> <a href="?C=N;O=D">N</a> <a href="/models/">x</a>
		<a href="http://other/models/x">x</a> <a href="unet/deep.bin">x</a> <a href="..%2f..%2fetc">x</a> <a href="%00">x</a> <a href="/etc/passwd">x</a>`
	if got := fmt.Sprint(linkEntries(at, []byte(page))); got != want {
		t.Errorf("links: %s", got)
	}
	entries, err := jsonEntries([]byte(`[{"name":"a b.bin","type":"file"},{"name":"unet/","is_dir":true},{"name":"../x"},{"name":""},{"name":"a/b"},{"name":".."}]`))
	if got := fmt.Sprint(entries); err != nil || got != want {
		t.Errorf("JSON: %s, %v", got, err)
	}
	if _, err := jsonEntries([]byte(`{"a": 1}`)); err == nil {
		t.Error("JSON that is not a list is one")
	}
}
