package source_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// A source is pinned to the bytes that it had when it was opened.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.pt")
	if err := os.WriteFile(path, []byte("weights"), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	src, err := source.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()
	p := make([]byte, 4)
	fmt.Println(segment.ReadFull(src, p, 0), string(p), src.Name(), src.Size(), src.Verify())

	if err := os.Truncate(path, 2); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Is(segment.ReadFull(src, p, 0), source.ErrStale), errors.Is(src.Verify(), source.ErrStale))
	// Output:
	// <nil> weig model.pt 7 <nil>
	// true true
}

// A directory gives out no file that a link has elsewhere.
func ExampleOpenDir() {
	base, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(base)
	model := filepath.Join(base, "model")
	if err := errors.Join(
		os.Mkdir(model, 0o755),
		os.WriteFile(filepath.Join(model, "config.json"), []byte("{}"), 0o644),
		os.WriteFile(filepath.Join(base, "secret"), []byte("x"), 0o600),
		os.Symlink("../secret", filepath.Join(model, "weights.bin")),
	); err != nil {
		fmt.Println(err)
		return
	}
	dir, err := source.OpenDir(model)
	if err != nil {
		fmt.Println(err)
		return
	}
	entries, err := dir.List("")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range entries {
		src, err := dir.Open(e.Name)
		if err != nil {
			fmt.Println(e.Name, errors.Is(err, source.ErrOutside))
			continue
		}
		fmt.Println(e.Name, src.Size(), "bytes")
		src.Close()
	}
	// Output:
	// config.json 2 bytes
	// weights.bin true
}
