package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// Bounds of what is read of a pipe: more than spoolMemory goes to a file without a name in
// the directory for temporary files.
const (
	spoolMemory = 64 << 20
	spoolMax    = 64 << 30
	// pipePatience is how long a pipe may have nobody who writes to it.
	pipePatience = 10 * time.Second
)

// openPipe opens a named pipe that somebody writes to.
func openPipe(path string) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() { // an open of a pipe waits for its other end
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.file, o.err
	case <-time.After(pipePatience):
		return nil, fmt.Errorf("%s: nobody writes to this pipe: it is not read", path)
	}
}

// spooled is what a pipe gave.
type spooled struct {
	*source.Memory
	file *os.File // nil where memory has it
}

// Close implements source.Source.
func (s *spooled) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if runtime.GOOS == "windows" {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	return err
}

// spool reads a pipe to its end.
func spool(name string, r io.Reader) (source.Source, error) {
	head, err := io.ReadAll(io.LimitReader(r, spoolMemory))
	if err != nil {
		return nil, err
	}
	if len(head) < spoolMemory {
		return &spooled{Memory: source.NewMemory(name, segment.Literal(head), nil)}, nil
	}
	f, err := os.CreateTemp("", "wfs-scan-")
	if err != nil {
		return nil, err
	}
	n, err := copyToFile(f, head, r)
	if removed := os.Remove(f.Name()); runtime.GOOS != "windows" { // where an open file keeps its name
		err = errors.Join(err, removed)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &spooled{Memory: source.NewMemory(name, &segment.Range{Src: f, Off: 0, N: n}, nil), file: f}, nil
}

func copyToFile(f *os.File, head []byte, r io.Reader) (int64, error) {
	if _, err := f.Write(head); err != nil {
		return 0, err
	}
	n, err := io.Copy(f, io.LimitReader(r, spoolMax))
	if err == nil && n == spoolMax {
		err = fmt.Errorf("it gives more than %d bytes", int64(spoolMax))
	}
	return n + int64(len(head)), err
}
