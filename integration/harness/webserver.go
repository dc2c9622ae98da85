package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// WebServer is a real web server of the machine on a port of the loopback address.
type WebServer struct {
	t       testing.TB
	Address string // HOST:PORT
	log     string
	command func() *exec.Cmd
	running *exec.Cmd
	undo    func()
}

// freePort is a port of the loopback address that nobody has.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Nginx starts nginx on a directory until the test ends. server is lines for its server block.
func Nginx(t testing.TB, root string, server ...string) *WebServer {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	w := &WebServer{t: t, Address: fmt.Sprintf("127.0.0.1:%d", port), log: filepath.Join(dir, "access.log")}
	config := filepath.Join(dir, "nginx.conf")
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	var temporary strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s;\n", name, filepath.Join(dir, name))
	}
	Must(t, os.WriteFile(config, fmt.Appendf(nil, `
daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log; %[2]s
events {}
http {
	%[3]s
	log_format ours '$status $body_bytes_sent $request_uri $http_range "$http_authorization"';
	# $tens is another every ten seconds, and $unlucky is 1 for every third request, by chance.
	map $time_iso8601 $tens { "~:(..):(.)." $1$2; }
	split_clients $request_id $unlucky { 33%% 1; * ""; }
	server {
		listen %[4]s; root %[5]s; access_log %[6]s ours;
		%[7]s
	}
}`, dir, user, temporary.String(), w.Address, root, w.log, strings.Join(server, "\n\t\t")), 0o644))
	w.command = func() *exec.Cmd {
		return exec.Command("nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)
	}
	w.Start()
	return w
}

// Caddy starts Caddy with a Caddyfile until the test ends. ADDRESS in it is where it listens.
func Caddy(t testing.TB, caddyfile string) *WebServer {
	t.Helper()
	dir := t.TempDir()
	w := &WebServer{t: t, Address: fmt.Sprintf("127.0.0.1:%d", freePort(t)), log: filepath.Join(dir, "access.log")}
	config := filepath.Join(dir, "Caddyfile")
	Must(t, os.WriteFile(config, []byte("{\n\tadmin off\n\tauto_https off\n}\n"+strings.ReplaceAll(caddyfile, "ADDRESS", "http://"+w.Address)), 0o644))
	w.command = func() *exec.Cmd {
		cmd := exec.Command("caddy", "run", "--config", config, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
		return cmd
	}
	w.Start()
	return w
}

// Start starts the server, also one that was stopped.
func (w *WebServer) Start() {
	w.t.Helper()
	cmd := w.command()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said strings.Builder
	cmd.Stderr = &said
	Must(w.t, cmd.Start())
	w.running = cmd
	w.undo = onInterrupt(func() { cmd.Process.Signal(syscall.SIGTERM) })
	w.t.Cleanup(func() {
		if w.running == cmd {
			w.Stop()
		}
	})
	if !Eventually(time.Minute, func() bool {
		c, err := net.Dial("tcp", w.Address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}) {
		w.Stop() // which waits for what it says
		w.t.Fatalf("%s: no answer: run `make system`\n%s", cmd, said.String())
	}
}

// Stop ends the server, and cuts its connections.
func (w *WebServer) Stop() {
	w.t.Helper()
	defer w.undo()
	w.running.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(30*time.Second, func() { w.running.Process.Kill() })
	w.running.Wait()
	kill.Stop()
	w.running = nil
}

// URL is the address of a file.
func (w *WebServer) URL(path string) string { return "http://" + w.Address + "/" + path }

// Request is a line of the log of nginx.
type Request struct {
	Status        int
	Bytes         int64
	Path, Range   string
	Authorization string
}

// Requests takes what nginx has logged since it was last asked. A request is logged when its
// answer was sent.
func (w *WebServer) Requests() []Request {
	w.t.Helper()
	time.Sleep(50 * time.Millisecond)
	text, err := os.ReadFile(w.log)
	Must(w.t, err)
	Must(w.t, os.Truncate(w.log, 0))
	var all []Request
	for line := range strings.Lines(string(text)) {
		var r Request
		if _, err := fmt.Sscanf(line, "%d %d %s %s %q", &r.Status, &r.Bytes, &r.Path, &r.Range, &r.Authorization); err != nil {
			w.t.Fatalf("nginx logs %q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// Sent is the bytes of the bodies of requests.
func Sent(requests []Request) (n int64) {
	for _, r := range requests {
		n += r.Bytes
	}
	return n
}
