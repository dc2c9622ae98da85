package remote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	secret = "hf_ThisIsNobodysToken"
)

// hubOf makes a Hub of Caddy of the repository org/model, whose weights lie on another server,
// a CDN made of nginx. org/gated is gated.
func hubOf(t *testing.T) (hub, cdn *harness.WebServer) {
	t.Helper()
	dir, files := written(t)
	cdn = harness.Nginx(t, filepath.Join(dir, "model"), `if ($arg_signature != "good") { return 403; }`)
	var tree []map[string]any
	var rules strings.Builder
	for name, f := range files {
		node := map[string]any{"type": "file", "path": name, "size": f.Size, "oid": f.SHA1}
		resolve := fmt.Sprintf("\t@%[1]s path /org/model/resolve/%[2]s/%[1]s /org/model/resolve/main/%[1]s\n\thandle @%[1]s {\n\t\theader X-Repo-Commit %[2]s\n", name, commit)
		if strings.HasSuffix(name, ".bin") {
			node["lfs"] = map[string]any{"oid": f.SHA256, "size": f.Size, "pointerSize": 134}
			resolve += fmt.Sprintf("\t\theader X-Linked-Etag `\"%s\"`\n\t\theader X-Linked-Size %d\n\t\tredir http://%s/%s?signature=good 302\n\t}\n", f.SHA256, f.Size, cdn.Address, name)
		} else {
			resolve += fmt.Sprintf("\t\troot * %s\n\t\trewrite * /%s\n\t\theader >Etag `\"%s\"`\n\t\tfile_server\n\t}\n", filepath.Join(dir, "model"), name, f.SHA1)
		}
		rules.WriteString(resolve)
		tree = append(tree, node)
	}
	list, err := json.Marshal(tree)
	harness.Must(t, err)
	var siblings []map[string]string
	for name := range files {
		siblings = append(siblings, map[string]string{"rfilename": name})
	}
	info, err := json.Marshal(map[string]any{"id": "org/model", "sha": commit, "lastModified": "2026-11-25T00:00:00.000Z", "siblings": siblings, "private": false, "tags": []string{}})
	harness.Must(t, err)
	hub = harness.Caddy(t, `ADDRESS {
	@denied {
		path /api/models/org/model/* /org/model/*
		not header Authorization "Bearer `+secret+`"
	}
	handle @denied {
		header X-Error-Code RepoNotFound
		header X-Error-Message "Repository not found"
		respond 401
	}
	@info path /api/models/org/model/revision/main /api/models/org/model/revision/`+commit+` /api/models/org/model
	handle @info {
		header Content-Type application/json
		respond `+"`"+string(info)+"`"+` 200
	}
	@revision path /api/models/org/model/revision/*
	handle @revision {
		header X-Error-Code RevisionNotFound
		header X-Error-Message "Invalid rev id"
		respond 404
	}
	handle /api/models/org/model/tree/`+commit+` {
		header Content-Type application/json
		respond `+"`"+string(list)+"`"+` 200
	}
`+rules.String()+`
	@gated path /api/models/org/gated/*
	handle @gated {
		header X-Error-Code GatedRepo
		header X-Error-Message "Access to model org/gated is restricted. Visit its page to ask for it."
		respond 403
	}
	handle {
		header X-Error-Code RepoNotFound
		header X-Error-Message "Repository not found"
		respond 404
	}
}`)
	t.Setenv("HF_ENDPOINT", "http://"+hub.Address)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_TOKEN", secret)
	return hub, cdn
}

// A repository that has only pytorch_model.bin is mounted, and loaded from afar by transformers,
// with less than 1.1 of its bytes; the token goes to the Hub alone.
func TestHub(t *testing.T) {
	ownCache(t)
	hub, cdn := hubOf(t)
	dir, files := written(t)

	// It is one to the Hub's own client.
	var downloaded map[string]string
	t.Setenv("HF_HUB_OFFLINE", "0")
	online(t, &downloaded, "download", "org/model")
	for name, f := range files {
		if downloaded[name] != f.SHA256 {
			t.Fatalf("huggingface_hub has downloaded another %s", name)
		}
	}
	cdn.Requests()

	t.Setenv("HF_HOME", t.TempDir()) // where nothing was downloaded
	logs := filepath.Join(t.TempDir(), "log")
	m := harness.MountAt(t, "hf://org/model", harness.Mountpoint(t), "--log-file", logs, "--log-level", "debug")
	var differing []string
	harness.Python(t, harness.Torch, "remote.py", nil, &differing, "load", m.Path, dir)
	if len(differing) > 0 {
		t.Errorf("transformers has loaded other tensors: %v", differing)
	}
	requests := cdn.Requests()
	if sent, size := harness.Sent(requests), files["pytorch_model.bin"].Size; sent > size*11/10 {
		t.Errorf("%d bytes were sent of a file of %d", sent, size)
	}
	for _, r := range requests {
		if r.Authorization != "-" && r.Authorization != "" {
			t.Fatalf("another host got %q", r.Authorization)
		}
	}
	for what, text := range map[string]string{
		"status": ok(t, "status", "--json").Stdout, "mounts": string(harness.ReadFile(t, "/proc/mounts")),
		"meta": string(harness.ReadFile(t, m.Path, "meta/source.json")), "log": string(harness.ReadFile(t, logs)),
		"argv": string(harness.ReadFile(t, fmt.Sprintf("/proc/%d/cmdline", m.PID))),
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has the token", what)
		}
	}

	// What was read is there without the Hub.
	want := ok(t, "sum", filepath.Join(dir, "model")).Stdout
	if got := ok(t, "sum", "hf://org/model@main"); lines(got.Stdout) != lines(want) {
		t.Errorf("the sums are others:\n%s\n%s", got.Stdout, want)
	}
	hub.Stop()
	cdn.Stop()
	r := ok(t, "sum", "hf://org/model")
	if lines(r.Stdout) != lines(want) || !strings.Contains(r.Stderr, commit) {
		t.Errorf("without the Hub: %q\n%s", r.Stdout, r.Stderr)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if r := ok(t, "ls", "hf://org/model/pytorch_model.bin"); !strings.Contains(r.Stdout, "transformer.h.0") {
		t.Errorf("offline: %s", r.Stdout)
	}
	harness.Refused(t, []string{"ls", "hf://org/other"}, "hf://org/other", "HF_HUB_OFFLINE")
}

// online runs the script with the variables of the test.
func online(t *testing.T, out any, args ...string) {
	t.Helper()
	script := harness.Script("remote.py")
	c := harness.Run(t, 10*time.Minute, exec.Command(harness.Interpreter(harness.Torch), append([]string{script}, args...)...))
	if c.Code != 0 {
		t.Fatalf("%v: %s%s", args, c.Stdout, c.Stderr)
	}
	harness.Must(t, json.Unmarshal([]byte(c.Stdout), out))
}

// lines is sums without the name of the model, which is that of the source.
func lines(sums string) string {
	list := strings.Split(strings.TrimSpace(sums), "\n")
	return strings.Join(list[:len(list)-1], "\n")
}

// What huggingface_hub has downloaded is read, and nothing is written there.
func TestHubCache(t *testing.T) {
	ownCache(t)
	hub, cdn := hubOf(t)
	var downloaded map[string]string
	t.Setenv("HF_HUB_OFFLINE", "0")
	online(t, &downloaded, "download", "org/model")
	cache := filepath.Join(os.Getenv("HF_HOME"), "hub")
	before := harness.Files(t, cache)
	cdn.Requests()
	dir, _ := written(t)
	want := lines(ok(t, "sum", filepath.Join(dir, "model")).Stdout)
	if got := lines(ok(t, "sum", "hf://org/model").Stdout); got != want {
		t.Error("the sums are others")
	}
	if got := cdn.Requests(); len(got) > 0 {
		t.Errorf("what is here was fetched: %v", got)
	}
	hub.Stop()
	ownCache(t)
	r := ok(t, "sum", "hf://org/model")
	if lines(r.Stdout) != want || !strings.Contains(r.Stderr, "downloaded") {
		t.Errorf("without the Hub, and a cache of ours: %s", r.Stderr)
	}
	after := harness.Files(t, cache)
	if !slices.Equal(sorted(before), sorted(after)) {
		t.Errorf("the cache of the Hub has changed: %v, %v", before, after)
	}
}

func sorted(files map[string]int64) []string {
	var list []string
	for name, size := range files {
		list = append(list, fmt.Sprint(name, size))
	}
	slices.Sort(list)
	return list
}

// The Hub's own reason, in one line.
func TestHubRefuses(t *testing.T) {
	ownCache(t)
	hubOf(t)
	for source, words := range map[string][]string{
		"hf://org/gated":              {"gated", "Access to model org/gated is restricted"},
		"hf://org/nothing":            {"not there", "Repository not found"},
		"hf://org/model@nothing":      {"no revision \"nothing\"", "Invalid rev id"},
		"hf://org/model/nothing.bin":  {"nothing.bin"},
		"hf://org/model@main/x/y.bin": {"y.bin"},
		"hf://a/../b":                 {"form"},
	} {
		harness.Refused(t, []string{"ls", source}, append(words, "hf://")...)
	}
	t.Setenv("HF_TOKEN", "")
	harness.Refused(t, []string{"ls", "hf://org/model"}, "Repository not found", "HF_TOKEN")
	token := filepath.Join(t.TempDir(), "token")
	harness.Must(t, os.WriteFile(token, []byte(secret+"\n"), 0o600))
	t.Setenv("HF_TOKEN_PATH", token)
	if r := ok(t, "ls", "hf://org/model"); !bytes.Contains([]byte(r.Stdout), []byte("transformer.wte.weight")) {
		t.Errorf("%s", r.Stdout)
	}
}
