package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSiteName(t *testing.T) {
	for source, want := range map[string]string{
		"/models/bert": "bert", "/models/bert/": "bert", "/m/model.pt": "model.pt", "/hub/models--org--name": "name",
		"/hub/models--org--name/snapshots/0123": "name", "/hub/models--gpt2/snapshots/0123/": "gpt2", "/x/snapshots/v1": "v1", "/x/a--b": "a--b",
	} {
		if got := siteName(filepath.FromSlash(source)); got != want {
			t.Errorf("%s is served as %s, want %s", source, got, want)
		}
	}
}

// file writes a file that wfs can open.
func file(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVariant has what stands in an ETag beside the source: it is the same whenever the same view
// is served, and another where the rules are, also those in the file of the same name.
func TestVariant(t *testing.T) {
	source, rules := file(t, "a.safetensors"), filepath.Join(t.TempDir(), "rules.toml")
	variant := func(opt ViewOptions) string {
		t.Helper()
		a := &app{stdout: bufio.NewWriter(io.Discard), stderr: io.Discard}
		o := &ServeOptions{ViewOptions: opt}
		if err := o.ViewOptions.Validate(); err != nil {
			t.Fatal(err)
		}
		site, close, err := a.site(o, source)
		if err != nil {
			t.Fatal(err)
		}
		close()
		return site.Variant
	}
	write := func(text string) {
		if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`cast.to = "bf16"`)
	seen := map[string]int{}
	for i, opt := range []ViewOptions{{}, {DType: "bf16"}, {DType: "bf16", Overflow: "nan"}, {View: rules}} {
		v := variant(opt)
		if again := variant(opt); again != v {
			t.Errorf("view %d is %q, and %q the next time", i, v, again)
		}
		seen[v] = i
	}
	write(`cast.to = "f16"`)
	seen[variant(ViewOptions{View: rules})] = 4
	if len(seen) != 5 {
		t.Errorf("of 5 views %d are told apart", len(seen))
	}
}

// TestServeRefuses has command lines that must not serve.
func TestServeRefuses(t *testing.T) {
	source, other := file(t, "a.safetensors"), file(t, "a.safetensors")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	tokens := map[string]string{"open": "0123456789abcdef", "short": "abc", "words": "0123456789 abcdef", "long": strings.Repeat("x", 5000)}
	for name, token := range tokens {
		mode := os.FileMode(0o600)
		if name == "open" {
			mode = 0o640
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(token), mode); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"":                              "2 serve takes a SOURCE",
		"--listen 8000 S":               "2 --listen is an address and a port",
		"--listen 0.0.0.0:0 S":          "2 can be reached from other machines: give --token-file",
		"--listen [::]:0 S":             "2 can be reached from other machines: give --token-file",
		"--layout x S":                  "2 --layout is full, hf or tensors",
		"--listen 127.0.0.1:TAKEN S":    "1 another program listens there",
		"--token-file DIR/open S":       "1 others can read or write this token: chmod 600 it",
		"--token-file DIR/short S":      "1 a token has 16 to 4096 characters",
		"--token-file DIR/long S":       "1 a token has 16 to 4096 characters",
		"--token-file DIR/words S":      "1 one word of printable ASCII",
		"--token-file DIR/none S":       "1 no such file",
		"S OTHER":                       `1 have the same name: serve one of them by a link`,
		"--listen :0 " + dir + "/none":  "1 no such file",
		"--listen nowhere.invalid:80 S": "1 --listen nowhere.invalid:80",
	} {
		line = strings.NewReplacer("TAKEN", strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:"), "DIR", dir, "OTHER", other, " S", " "+source).Replace(" " + line)
		code, stdout, stderr := runArgs(append([]string{"serve"}, strings.Fields(line)...)...)
		wantCode, words, _ := strings.Cut(want, " ")
		if code != int(wantCode[0]-'0') || stdout != "" || !strings.Contains(stderr, words) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("wfs serve%s: exit code %d, %q, %q", line, code, stdout, stderr)
		}
	}
}

// TestServe runs the command: it says where it serves, and ends by a signal with exit code 0
// when the answer that is under way has been sent.
func TestServe(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big.safetensors")
	const size = 64 << 20
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"w":{"dtype":"U8","shape":[67108864],"data_offsets":[0,67108864]}}`
	f.WriteString(string(rune(len(header))) + "\x00\x00\x00\x00\x00\x00\x00" + header)
	if err := f.Truncate(int64(8 + len(header) + size)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	cmd := exec.Command(executable(t), "serve", "--listen", ":0", big, file(t, "b c.safetensors"))
	cmd.Env = append(os.Environ(), asWFS+"=run")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop()
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	found := regexp.MustCompile(`^serving .*big\.safetensors at (http://127\.0\.0\.1:[1-9][0-9]*)/big\.safetensors/, and as local/big\.safetensors with HF_ENDPOINT=(http.*)$`).FindStringSubmatch(lines.Text())
	if len(found) != 3 || found[1] != found[2] {
		t.Fatalf("it says %q\n%s", lines.Text(), log.String())
	}
	if lines.Scan(); !strings.HasSuffix(lines.Text(), "; no client of the Hub takes that name for a repository's") {
		t.Errorf("it says %q", lines.Text())
	}
	resp, err := http.Get(found[1] + "/big.safetensors/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for { // no more connections
		conn, err := net.Dial("tcp", strings.TrimPrefix(found[1], "http://"))
		if err != nil {
			break
		}
		conn.Close()
		time.Sleep(10 * time.Millisecond)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != resp.ContentLength {
		t.Errorf("the answer under way: %d of %d bytes, %v", n, resp.ContentLength, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	if text := log.String(); !strings.Contains(text, "msg=request") || !strings.Contains(text, "status=200") {
		t.Errorf("the log: %s", text)
	}
}
