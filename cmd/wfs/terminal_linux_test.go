package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

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
