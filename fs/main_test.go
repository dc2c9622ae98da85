package fs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// randomFile writes a file of n bytes.
func randomFile(t testing.TB, n int) (path string, b []byte) {
	t.Helper()
	b = make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	rng.Read(b)
	path = filepath.Join(t.TempDir(), "weights.bin")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, b
}

// tensor is a tensor of bytes.
func tensor(key string, data segment.Data) *checkpoint.Tensor {
	return &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Shape: []int64{data.Size()}, Data: data}
}

// modelOf is a model whose tensors are in src; src itself is a file of it too, so that
// one file is passed through.
func modelOf(src source.Source, tensors ...*checkpoint.Tensor) *checkpoint.Model {
	return &checkpoint.Model{
		Path: src.Path(),
		Sets: []*checkpoint.Set{{Shards: []checkpoint.Shard{{
			Checkpoint: &checkpoint.Checkpoint{Format: "test", Source: src, Separator: ".", Framework: "pt", Tensors: tensors},
			ViewName:   "model.safetensors",
		}}}},
		Files: []checkpoint.File{{Path: "sub/source.bin", Source: src}},
	}
}

func treeOf(t testing.TB, m *checkpoint.Model) *tree.Tree {
	t.Helper()
	plan, err := view.New(m, view.Rules{})
	must(t, err)
	built, err := tree.Build(plan, tree.Options{})
	must(t, err)
	return built
}

func open(t testing.TB, path string) *source.Local {
	t.Helper()
	src, err := source.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// ranges is n tensors of one size in a source; the second of them is tied to the first.
func ranges(src source.Source, n int) []*checkpoint.Tensor {
	part := src.Size() / int64(n)
	var all []*checkpoint.Tensor
	for i := range n {
		all = append(all, tensor(fmt.Sprintf("layer.%d.weight", i), &segment.Range{Src: src, Off: int64(i) * part, N: part}))
	}
	return append(all, &checkpoint.Tensor{Key: "tied", DType: checkpoint.U8, Shape: all[0].Shape, Data: all[0].Data, Tied: all[0]})
}

// mount serves a tree for the time of a test.
func mount(t testing.TB, tree *tree.Tree, opt Options) (*Server, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting in a test takes root")
	}
	dir := t.TempDir()
	if opt.Source == "" {
		opt.Source = "test"
	}
	s, err := Mount(tree, dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Unmount(false); err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: the test has done it
			select {
			case <-s.Done():
			case <-time.After(30 * time.Second):
				t.Error("the server goes on after its mount has ended")
			}
			return
		} else {
			t.Errorf("unmount: %v", err)
		}
		unix.Unmount(dir, unix.MNT_DETACH)
	})
	return s, dir
}

// standard is a mount of eight tensors in a random file.
func standard(t testing.TB) (server *Server, dir, path string, b []byte) {
	t.Helper()
	path, b = randomFile(t, 8<<20)
	src := open(t, path)
	server, dir = mount(t, treeOf(t, modelOf(src, ranges(src, 8)...)), Options{Log: testLog(t)})
	return server, dir, path, b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines collects log lines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte("\n"))
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func testLog(t testing.TB) *slog.Logger {
	l := &lines{}
	t.Cleanup(func() {
		if text := l.String(); text != "" && t.Failed() {
			t.Log(text)
		}
	})
	return l.logger()
}
