package remote

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// file is what the script says of a file of the repository.
type file struct {
	Size         int64
	SHA256, SHA1 string
}

// models is a directory that torch and transformers wrote for the tests of this package, which
// do not change it.
var models = struct {
	sync.Once
	dir   string
	files map[string]file
}{}

func written(t *testing.T) (dir string, repository map[string]file) {
	t.Helper()
	models.Do(func() {
		dir := harness.Dir(t, "models")
		harness.Python(t, harness.Torch, "remote.py", nil, &models.files, "write", dir)
		models.dir = dir
	})
	if models.dir == "" {
		t.Fatal("the models could not be written before")
	}
	return models.dir, models.files
}

// ownCache gives the test a cache of its own.
func ownCache(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
}

func ok(t *testing.T, args ...string) harness.Result {
	t.Helper()
	r := harness.WFS(t, args...)
	if r.Code != 0 {
		t.Fatalf("wfs %q: exit code %d\n%s", args, r.Code, r.Stderr)
	}
	return r
}

// Sums of what lies on a server are those of the files, which each byte of them went into; and a
// second time nothing but the version is asked for, also of a server that is gone.
func TestSums(t *testing.T) {
	dir, _ := written(t)
	nginx := harness.Nginx(t, dir, "autoindex on;")
	caddy := harness.Caddy(t, "ADDRESS {\n\troot * "+dir+"\n\tfile_server browse\n}")
	for _, server := range []*harness.WebServer{nginx, caddy} {
		ownCache(t)
		for _, name := range []string{"many.pt", "large.pt", "large.safetensors", "model/"} {
			want := ok(t, "sum", filepath.Join(dir, name)).Stdout
			if got := ok(t, "sum", server.URL(name)).Stdout; got != want {
				t.Errorf("%s: the sums of %s are others", server.Address, name)
			}
		}
		if server == nginx {
			if sent, size := harness.Sent(nginx.Requests()), totalSize(t, dir); sent > size*105/100 {
				t.Errorf("%d bytes were sent of %d", sent, size)
			}
			ok(t, "sum", server.URL("large.pt"))
			if again := nginx.Requests(); len(again) > 2 {
				t.Errorf("the second time there are %d requests", len(again))
			}
		}
		server.Stop()
		want := ok(t, "sum", filepath.Join(dir, "large.pt")).Stdout
		r := ok(t, "sum", server.URL("large.pt"))
		if r.Stdout != want || !strings.Contains(r.Stderr, "cannot be reached") {
			t.Errorf("without its server: %q\n%s", r.Stdout, r.Stderr)
		}
		harness.Refused(t, []string{"ls", "--cache-size", "0", server.URL("large.pt")}, server.URL("large.pt"), "cannot be reached")
	}
}

func totalSize(t *testing.T, dir string) (n int64) {
	for _, size := range harness.Files(t, dir) {
		n += size
	}
	return n
}

// Requests are counted by the server.
func TestRoundTrips(t *testing.T) {
	dir, _ := written(t)
	server := harness.Nginx(t, dir)
	for name, most := range map[string]int{"large.safetensors": 1, "many.pt": 3, "large.pt": 3} {
		ownCache(t)
		ok(t, "ls", server.URL(name))
		if got := server.Requests(); len(got) > most {
			t.Errorf("ls %s: %d requests, want %d: %v", name, len(got), most, got)
		}
	}
}

// Whoever reads one tensor causes no more than 1.3 of its bytes and 2 MiB to be sent.
func TestOneTensor(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	server := harness.Nginx(t, dir)
	m := harness.Mount(t, server.URL("large.pt"))
	local := harness.Mount(t, filepath.Join(dir, "large.pt"))
	name := "tensors/layers.7.weight.npy"
	if !bytes.Equal(harness.ReadFile(t, m, name), harness.ReadFile(t, local, name)) {
		t.Error("the tensor is another")
	}
	time.Sleep(300 * time.Millisecond) // what is fetched ahead
	if sent := harness.Sent(server.Requests()); sent > (4<<20)*13/10+2<<20 {
		t.Errorf("%d bytes were sent for a tensor of 4 MiB", sent)
	}
	if !bytes.Equal(harness.ReadFile(t, m, "model.safetensors"), harness.ReadFile(t, local, "model.safetensors")) {
		t.Error("the view is another")
	}
}

// Servers that cannot be read in parts are refused, with what to do.
func TestRefused(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	for name, c := range map[string]struct {
		server []string
		words  []string
	}{
		"no ranges":  {[]string{"max_ranges 0;"}, []string{"as a whole only", "download it first"}},
		"compressed": {[]string{"add_header Content-Encoding gzip;"}, []string{"compresses", "download it first"}},
		"no version": {[]string{"etag off;", "add_header Last-Modified '';"}, []string{"a change would go unnoticed", "download it first"}},
		"forbidden":  {[]string{"location / { return 403; }"}, []string{"403 Forbidden"}},
		"missing":    {[]string{"location / { return 404; }"}, []string{"404 Not Found"}},
		"loop":       {[]string{"location / { return 302 $uri; }"}, []string{"redirects more than"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := harness.Nginx(t, dir, c.server...)
			url := server.URL("large.safetensors")
			for _, args := range [][]string{{"ls", url}, {"scan", url}, {"mount", url, harness.Mountpoint(t)}} {
				harness.Refused(t, args, append(c.words, url)...)
			}
		})
	}
}

// A file that changes on the server is ESTALE, and no byte of the new one is given out.
func TestChanged(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	own := t.TempDir()
	target := filepath.Join(own, "large.pt")
	copyFile(t, filepath.Join(dir, "large.pt"), target)
	for i, etag := range []string{"etag on;", "etag off;"} {
		server := harness.Nginx(t, own, etag)
		m := harness.Mount(t, server.URL("large.pt"))
		harness.ReadFile(t, m, "tensors/layers.0.weight.npy")
		copyFile(t, filepath.Join(dir, "large.pt"), target+".new")
		harness.Must(t, os.Chtimes(target+".new", time.Now(), time.Now().Add(time.Duration(i+1)*time.Hour)))
		harness.Must(t, os.Rename(target+".new", target))
		if _, err := os.ReadFile(filepath.Join(m, "tensors/layers.9.weight.npy")); !errors.Is(err, syscall.ESTALE) {
			t.Errorf("%s: a changed file is %v", etag, err)
		}
		if _, err := os.ReadFile(filepath.Join(m, "raw/layers.3.weight.bin")); !errors.Is(err, syscall.ESTALE) {
			t.Errorf("%s: after that a read is %v", etag, err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	harness.Must(t, os.WriteFile(to, harness.ReadFile(t, from), 0o644))
}

// A third of all requests fails, and everything is read.
func TestUnlucky(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	server := harness.Nginx(t, dir, "if ($unlucky) { return 503; }")
	want := ok(t, "sum", filepath.Join(dir, "large.pt")).Stdout
	if got := ok(t, "sum", server.URL("large.pt")).Stdout; got != want {
		t.Error("the sum is another")
	}
	failed := 0
	for _, r := range server.Requests() {
		if r.Status == 503 {
			failed++
		}
	}
	if failed == 0 {
		t.Error("the server has failed no request")
	}
}

// Reads wait for a server that is gone for a time, fail after --timeout, and end with whoever
// is killed meanwhile.
func TestServerGone(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	server := harness.Nginx(t, dir)
	patient := harness.Mount(t, server.URL("large.pt"))
	hasty := harness.Mount(t, server.URL("large.pt"), "--timeout", "2s")
	local := harness.Mount(t, filepath.Join(dir, "large.pt"))
	server.Stop()
	name := "raw/layers.5.weight.bin"
	began := time.Now()
	if _, err := os.ReadFile(filepath.Join(hasty, name)); !errors.Is(err, syscall.EIO) || time.Since(began) > 20*time.Second {
		t.Errorf("with --timeout 2s the read is %v after %v", err, time.Since(began))
	}
	killed := exec.Command("cat", filepath.Join(patient, "raw/layers.6.weight.bin"))
	harness.Must(t, killed.Start())
	time.Sleep(300 * time.Millisecond)
	killed.Process.Kill()
	harness.Must(t, harness.WaitFor(killed, 10*time.Second))
	type outcome struct {
		data []byte
		err  error
	}
	read := make(chan outcome, 1)
	go func() {
		data, err := os.ReadFile(filepath.Join(patient, name))
		read <- outcome{data, err}
	}()
	select {
	case o := <-read:
		t.Fatalf("a read without a server: %v", o.err)
	case <-time.After(3 * time.Second):
	}
	server.Start()
	o := <-read
	if o.err != nil || !bytes.Equal(o.data, harness.ReadFile(t, local, name)) {
		t.Errorf("after the server was back: %v", o.err)
	}
	if got := harness.ReadFile(t, hasty, name); !bytes.Equal(got, o.data) {
		t.Error("the other mount reads something else")
	}
}

// Credentials go to the host that they are for, and appear nowhere; addresses that expire are
// asked for again.
func TestRedirects(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	away := harness.Nginx(t, dir, "if ($arg_t != $tens) { return 403; }")
	home := harness.Nginx(t, dir,
		`if ($http_authorization != "Basic am9lOnNlc2FtZQ==") { return 401; }`,
		"location / { return 302 http://"+away.Address+"$uri?t=$tens; }")
	url := strings.Replace(home.URL("large.pt"), "://", "://joe:sesame@", 1)
	harness.Refused(t, []string{"ls", home.URL("large.pt")}, "401")
	m := harness.MountAt(t, url, harness.Mountpoint(t))
	local := harness.Mount(t, filepath.Join(dir, "large.pt"))
	for i, name := range []string{"raw/layers.1.weight.bin", "raw/layers.10.weight.bin"} {
		if i > 0 {
			time.Sleep(11 * time.Second)
		}
		if !bytes.Equal(harness.ReadFile(t, m.Path, name), harness.ReadFile(t, local, name)) {
			t.Errorf("%s is another", name)
		}
	}
	expired := false
	for _, r := range away.Requests() {
		expired = expired || r.Status == 403
		if r.Authorization != "-" && r.Authorization != "" {
			t.Errorf("the other host got %q", r.Authorization)
		}
	}
	if !expired {
		t.Error("no address has expired")
	}
	for what, text := range map[string]string{"status": ok(t, "status", "--json").Stdout, "mounts": string(harness.ReadFile(t, "/proc/mounts")), "source.json": string(harness.ReadFile(t, m.Path, "meta/source.json"))} {
		if strings.Contains(text, "sesame") {
			t.Errorf("%s has the password", what)
		}
	}
}

// Two that read at once share the cache, one is killed in the middle, and whatever is left of
// that is right.
func TestKilled(t *testing.T) {
	ownCache(t)
	dir, _ := written(t)
	server := harness.Nginx(t, dir, "limit_rate 20m;")
	want := ok(t, "sum", filepath.Join(dir, "large.pt")).Stdout
	for _, pause := range []time.Duration{100, 200, 400, 700} {
		cmd := harness.Command("sum", server.URL("large.pt"))
		harness.Must(t, cmd.Start())
		time.Sleep(pause * time.Millisecond)
		cmd.Process.Kill()
		harness.Must(t, harness.WaitFor(cmd, 10*time.Second))
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			var out bytes.Buffer
			cmd := harness.Command("sum", server.URL("large.pt"))
			cmd.Stdout, cmd.Stderr = &out, io.Discard
			if err := cmd.Run(); err != nil || out.String() != want {
				t.Errorf("%v: the sums are others", err)
			}
		})
	}
	both.Wait()
}
