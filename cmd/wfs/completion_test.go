package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// completions are what is typed before the tab key, and the arguments that it makes.
var completions = []struct {
	typed string
	args  []string
}{
	{"mou", []string{"mount"}},
	{"comp", []string{"completion"}},
	{"help sca", []string{"help", "scan"}},
	{"completion fi", []string{"completion", "fish"}},
	{"mount --allow", []string{"mount", "--allow-other"}},
	{"umount --la", []string{"umount", "--lazy"}},
	{"mount --layout te", []string{"mount", "--layout", "tensors"}},
	{"mount --log-level war", []string{"mount", "--log-level", "warn"}},
	{"mount --layout=te", []string{"mount", "--layout=tensors"}},
	{"mount --layout hf mod", []string{"mount", "--layout", "hf", "model one.pt"}},
	{"mount --log-file mod", []string{"mount", "--log-file", "model one.pt"}},
	{"ls mod", []string{"ls", "model one.pt"}},
}

// TestCompletion presses the tab key in a real bash and a real zsh, whose wfs prints
// its arguments.
func TestCompletion(t *testing.T) {
	const show = "wfs() { local IFS='|'; printf '={%s}=\\n' \"$*\"; }\n"
	for shell, rc := range map[string]string{
		"bash": ". ./script\n" + show + "bind 'set enable-bracketed-paste off'\nprintf '={%s}=\\n' ready\n",
		"zsh":  "fpath=($PWD $fpath)\nautoload -U compinit\ncompinit -u -D\n" + show + "printf '={%s}=\\n' ready\n",
	} {
		t.Run(shell, func(t *testing.T) {
			dir := completionDir(t)
			put(t, filepath.Join(dir, "script"), completeBash)
			put(t, filepath.Join(dir, "_wfs"), completeZsh)
			put(t, filepath.Join(dir, ".zshrc"), func(w io.Writer) { io.WriteString(w, rc) })
			put(t, filepath.Join(dir, ".bashrc"), func(w io.Writer) { io.WriteString(w, rc) })
			os.Remove(filepath.Join(dir, map[string]string{"bash": "_wfs", "zsh": "script"}[shell]))

			terminal := startTerminal(t, dir, shell+" -i")
			terminal.expect(t, "={ready}=")
			for _, c := range completions {
				terminal.typed(t, "wfs "+c.typed+"\t\r")
				terminal.expect(t, "={"+strings.Join(c.args, "|")+"}=")
			}
		})
	}
}

// TestCompletionFish asks fish, which says what the tab key would offer.
func TestCompletionFish(t *testing.T) {
	dir := completionDir(t)
	put(t, filepath.Join(dir, "script"), completeFish)
	for _, c := range completions {
		cmd := exec.Command("fish", "--no-config", "-c", "source script; complete --escape -C $argv[1]", "wfs "+c.typed)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		word, _, _ := strings.Cut(strings.TrimRight(string(out), "\n"), "\t")
		if want := strings.ReplaceAll(c.args[len(c.args)-1], " ", `\ `); word != want {
			t.Errorf("%q offers %q, want %s alone", c.typed, out, want)
		}
	}
}

// TestCompletionFlags checks that the scripts know every command and every flag.
func TestCompletionFlags(t *testing.T) {
	for shell, write := range map[string]func(io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish} {
		var script bytes.Buffer
		write(&script)
		for _, c := range commands {
			names := []string{c.name}
			flagsOf(c).VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
			for _, name := range names {
				if !strings.Contains(script.String(), name) {
					t.Errorf("%s: no %s of %s", shell, name, c.name)
				}
			}
		}
	}
	for name, words := range flagWords {
		for _, word := range words {
			o := newMountOptions()
			flags := pflag.NewFlagSet("mount", pflag.ContinueOnError)
			o.AddFlags(flags)
			if err := flags.Set(name, word); err != nil || o.Validate() != nil {
				t.Errorf("--%s %s is completed and not accepted", name, word)
			}
		}
	}
	if !slices.Contains(argWords(completionCommand), "zsh") {
		t.Error("completion does not complete itself")
	}
}

// completionDir has one file that a name beginning with mod can be.
func completionDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "model one.pt"), func(io.Writer) {})
	return dir
}

func put(t *testing.T, path string, write func(io.Writer)) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(f)
}

// terminal is a shell at a terminal, which script(1) makes.
type terminal struct {
	in     io.Writer
	mu     sync.Mutex
	screen bytes.Buffer
}

func startTerminal(t *testing.T, dir, command string) *terminal {
	t.Helper()
	cmd := exec.Command("script", "--quiet", "--flush", "--command", command, os.DevNull)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "ZDOTDIR="+dir, "TERM=dumb", "INPUTRC="+os.DevNull, "LC_ALL=C")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{in: in}
	cmd.Stdout, cmd.Stderr = term, term
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		io.WriteString(in, "exit\r")
		in.Close()
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		cmd.Wait()
	})
	return term
}

// Write is what the shell writes.
func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.Write(p)
}

// typed forgets what was on the screen and types.
func (s *terminal) typed(t *testing.T, keys string) {
	t.Helper()
	s.mu.Lock()
	s.screen.Reset()
	s.mu.Unlock()
	if _, err := io.WriteString(s.in, keys); err != nil {
		t.Fatal(err)
	}
}

func (s *terminal) expect(t *testing.T, words string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		screen := s.screen.String()
		s.mu.Unlock()
		if strings.Contains(screen, words) {
			return
		}
		// A wrong answer is an answer.
		if _, answer, ok := strings.Cut(screen, "={"); ok && strings.Contains(answer, "}=") || time.Now().After(end) {
			t.Fatalf("the terminal shows %q, want %s", screen, words)
		}
	}
}
