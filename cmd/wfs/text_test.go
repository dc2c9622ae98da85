package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// silently runs f with what it prints thrown away.
func silently(t *testing.T, f func() int) int {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	os.Stdout, os.Stderr = null, null
	return f()
}

func TestHumanSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 6 << 30: "6.0 GiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := humanSize(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestTerminal checks that no name in a file reaches the terminal as a command.
func TestTerminal(t *testing.T) {
	for _, s := range []string{"\x1b]0;title\a", "a\nb", "a\rb", "\u009b31m", "\x7f", "a\tb", "bad\xff\xfe", ""} {
		for _, got := range []string{visible(s), oneLine(s)} {
			if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("%q is printed as %q", s, got)
			}
		}
	}
	for _, s := range []string{"model.fc.weight", "ключ/x:0", "a b"} {
		if visible(s) != s || oneLine(s) != s {
			t.Errorf("%q is printed as %q, %q", s, visible(s), oneLine(s))
		}
	}
}

// TestManual checks that the page names every flag, and that groff has no complaint.
func TestManual(t *testing.T) {
	var page bytes.Buffer
	manual(&page)
	for _, c := range commands {
		flagsOf(c).VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page.String(), roff("--"+f.Name)) {
				t.Errorf("no --%s of %s", f.Name, c.name)
			}
		})
	}
	if strings.Contains(page.String(), "`") {
		t.Error("a name in the usage of a flag is still quoted")
	}
	for _, line := range strings.Split(page.String(), "\n") {
		if strings.HasPrefix(line, "'") {
			t.Errorf("a request of troff: %q", line)
		}
	}
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = &page
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}
