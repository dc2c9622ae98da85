package commands

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// hostilePage makes the page of a file whose keys and metadata want to be more than text.
func hostilePage(t *testing.T, dir string) string {
	t.Helper()
	const key = `<\/script><script>document.title=1<\/script><img src=http://example.invalid/x onerror=document.title=2>\u202e`
	header := `{"__metadata__":{"a":"` + key + `"}`
	for i := range 300 {
		header += fmt.Sprintf(`,"model.layers.%d.%s":{"dtype":"F32","shape":[2,2],"data_offsets":[%d,%d]}`, i/10, key+fmt.Sprint(i), 16*i, 16*i+16)
	}
	header += "}"
	source, page := filepath.Join(dir, "hostile.safetensors"), filepath.Join(dir, "page.html")
	length := len(header)
	file := append([]byte{byte(length), byte(length >> 8), byte(length >> 16), 0, 0, 0, 0, 0}, header...)
	harness.Must(t, os.WriteFile(source, append(file, make([]byte, 300*16)...), 0o644))
	if r := harness.WFS(t, "report", "--stats", "-o", page, source); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	return page
}

// browse opens a page in a headless Chromium, and is what it wrote and logged.
func browse(t *testing.T, dir, page string, args ...string) harness.Result {
	t.Helper()
	args = append([]string{"--no-sandbox", "--disable-gpu", "--user-data-dir=" + filepath.Join(dir, "chrome"), "--window-size=1280,1600",
		"--enable-logging=stderr", "--log-net-log=" + filepath.Join(dir, "net.json"), "--virtual-time-budget=2000"}, append(args, "file://"+page)...)
	r := harness.Run(t, 2*time.Minute, exec.Command("chromium-headless-shell", args...))
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	if said := regexp.MustCompile(`.*CONSOLE.*`).FindAllString(r.Stderr, -1); len(said) > 0 {
		t.Errorf("the console says\n%s", strings.Join(said, "\n"))
	}
	if urls := regexp.MustCompile(`"url":"(https?|ws|ftp):[^"]*`).FindAllString(string(harness.ReadFile(t, dir, "net.json")), -1); len(urls) > 0 {
		t.Errorf("the page asks for %q", urls)
	}
	return r
}

// TestReportInBrowser opens the page of a hostile file in Chromium, light and dark.
func TestReportInBrowser(t *testing.T) {
	dir := t.TempDir()
	page := hostilePage(t, dir)
	dom := browse(t, dir, page, "--dump-dom").Stdout
	if strings.Count(dom, "<script") != 1 || strings.Contains(dom, "<img") || !strings.Contains(dom, "<title>hostile.safetensors") {
		t.Error("what the file holds has become a part of the page")
	}
	search := regexp.MustCompile(`<input type="search"[^>]*>`)
	if strings.Contains(search.FindString(dom), "hidden") {
		t.Error("the page's own script does not run")
	}
	// What there is where no script runs: all but the search.
	if still := string(harness.ReadFile(t, page)); !strings.Contains(search.FindString(still), "hidden") || !strings.Contains(still, "model.layers.29") {
		t.Error("the page needs its script")
	}
	for scheme, want := range map[string]func(mean uint32) bool{
		"1": func(mean uint32) bool { return mean > 0xa000 }, // light
		"0": func(mean uint32) bool { return mean < 0x6000 },
	} {
		shot := filepath.Join(dir, "shot"+scheme+".png")
		browse(t, dir, page, "--hide-scrollbars", "--blink-settings=preferredColorScheme="+scheme, "--screenshot="+shot)
		f, err := os.Open(shot)
		harness.Must(t, err)
		defer f.Close()
		image, err := png.Decode(f)
		harness.Must(t, err)
		sum, n := uint64(0), uint64(0)
		for y := 0; y < image.Bounds().Dy(); y += 7 {
			for x := 0; x < image.Bounds().Dx(); x += 7 {
				r, g, b, _ := image.At(x, y).RGBA()
				sum, n = sum+uint64(r+g+b)/3, n+1
			}
		}
		if mean := uint32(sum / n); !want(mean) {
			t.Errorf("in colour scheme %s the mean of the page is %#x", scheme, mean)
		}
	}
}

// TestReport writes pages, and refuses to replace one unasked.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	source := harness.Small(t)
	page := filepath.Join(dir, "page.html")
	if r := harness.WFS(t, "report", "-o", page, source); r.Code != 0 || r.Stdout != "" {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	first := harness.ReadFile(t, page)
	harness.Refused(t, []string{"report", "-o", page, source}, page, "--force")
	if r := harness.WFS(t, "report", "--force", "-o", page, source); r.Code != 0 || string(harness.ReadFile(t, page)) != string(first) {
		t.Errorf("a page that is written again differs, or: %s", r.Stderr)
	}
	if r := harness.WFS(t, "report", "-o", "-", source); r.Code != 0 || r.Stdout != string(first) {
		t.Errorf("stdout has another page: %s", r.Stderr)
	}
	harness.Refused(t, []string{"report", "-o", filepath.Join(dir, "none", "page.html"), source}, "none")
	harness.Refused(t, []string{"report", "-o", filepath.Join(dir, "x.html"), filepath.Join(dir, "none")}, "none")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	mount := harness.Mount(t, source)
	if shown := harness.ReadFile(t, mount, "meta", "report.html"); string(shown) != string(first) {
		t.Error("a mount shows another page")
	}
}

// TestReportPlaces tries what no page is to replace, even by force.
func TestReportPlaces(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	harness.Must(t, os.Mkdir(model, 0o755))
	in := func(elements ...string) string { return filepath.Join(append([]string{dir}, elements...)...) }
	weights, config, page := in("model", "pytorch_model.bin"), in("model", "config.json"), in("model", "page.html")
	before := harness.ReadFile(t, harness.Small(t))
	harness.Must(t, os.WriteFile(weights, before, 0o644))
	harness.Must(t, os.WriteFile(config, []byte("{}"), 0o644))
	harness.Must(t, os.Link(weights, in("hard.html")))
	harness.Must(t, os.Symlink(weights, in("soft.html")))
	harness.Must(t, os.Symlink(page, in("page.html")))
	harness.Must(t, syscall.Mkfifo(in("fifo"), 0o600))
	for _, c := range []struct{ output, source, want string }{
		{weights, weights, "is the source itself"},
		{in("hard.html"), weights, "is the source itself"},
		{in("soft.html"), weights, "is the source itself"},
		{weights, model, "is the source itself"},
		{config, model, "is the source itself"},
		{"/dev/null", weights, "is not a regular file"},
		{in("fifo"), weights, "is not a regular file"},
		{dir, weights, "is a directory"},
		{in("page.html"), model, "is a link to what is not there"},
	} {
		harness.Refused(t, []string{"report", "--force", "-o", c.output, c.source}, c.output, c.want)
	}
	if after := harness.ReadFile(t, weights); string(after) != string(before) {
		t.Error("the source is another")
	}
	// In a source that is a directory a page is welcome, and by a link it is replaced.
	for _, output := range []string{page, in("page.html")} {
		if r := harness.WFS(t, "report", "--force", "-o", output, model); r.Code != 0 {
			t.Error(r.Stderr)
		}
	}
	if info, err := os.Lstat(in("page.html")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link has become %v, %v", info, err)
	}
}

// TestReportInterrupted ends a report while it reads its source: nothing is left.
func TestReportInterrupted(t *testing.T) {
	source, page := harness.Large(t), filepath.Join(t.TempDir(), "page.html")
	device, faults := harness.FailingDevice(t, filepath.Dir(source))
	read := make(chan struct{}, 1)
	faults.Set(func(_ string, off int64) harness.Fault {
		const middle = (harness.LargeTensors-1)*4<<20 + 2<<20 // of the last tensor: what is read to open the file lies elsewhere
		if off < middle || off >= middle+1<<20 {
			return harness.Fault{}
		}
		select {
		case read <- struct{}{}:
		default:
		}
		return harness.Fault{Delay: 300 * time.Millisecond} // the signal arrives meanwhile
	})
	cmd := harness.Command("report", "--stats", "-o", page, filepath.Join(device, filepath.Base(source)))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	harness.Start(t, cmd)
	select {
	case <-read:
	case <-time.After(time.Minute):
		t.Error("it reads nothing")
	}
	harness.Must(t, cmd.Process.Signal(os.Interrupt))
	harness.WaitFor(cmd, time.Minute)
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGINT) {
		t.Errorf("exit code %d", code)
	}
	harness.CheckOneLine(t, harness.Result{Stderr: stderr.String()}, "report: interrupted", page)
	if left := names(t, filepath.Dir(page)); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
