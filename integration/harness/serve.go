package harness

import (
	"bufio"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"
)

var served = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

// Serve starts wfs serve on a free port of the loopback address, until the test ends, and
// is its address. A server that does not end well by SIGTERM fails the test.
func Serve(t testing.TB, args ...string) string {
	t.Helper()
	cmd := Command(append([]string{"serve", "--listen", ":0", "--quiet"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	Must(t, err)
	Must(t, cmd.Start())
	undo := onInterrupt(func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		defer undo()
		cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("wfs serve: %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("wfs serve says %q: %v", line, err)
	}
	return served.FindString(line)
}
