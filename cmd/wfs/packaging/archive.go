//go:build ignore

// Archive packs a directory into an archive that is the same bytes wherever it is made:
// entries by name, of no owner, as old as SOURCE_DATE_EPOCH says.
//
//	go run archive.go DIRECTORY ARCHIVE.tar.gz|ARCHIVE.zip
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: archive DIRECTORY ARCHIVE.tar.gz|ARCHIVE.zip")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

// writer is an archive that entries are added to.
type writer interface {
	add(name string, executable bool, content []byte, at time.Time) error
	Close() error
}

func pack(dir, name string) error {
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	var w writer
	stem := ""
	switch base := filepath.Base(name); {
	case strings.HasSuffix(base, ".tar.gz"):
		w, stem = newTar(out), strings.TrimSuffix(base, ".tar.gz")
	case strings.HasSuffix(base, ".zip"):
		w, stem = zipArchive{zip.NewWriter(out)}, strings.TrimSuffix(base, ".zip")
	default:
		return fmt.Errorf("%s: neither .tar.gz nor .zip", name)
	}
	// WalkDir goes by name.
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		inside = path.Join(stem, filepath.ToSlash(inside))
		executable := inside == stem+"/wfs" || inside == stem+"/wfs.exe"
		return w.add(inside, executable, content, time.Unix(epoch, 0).UTC())
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}

func mode(executable bool) fs.FileMode {
	if executable {
		return 0o755
	}
	return 0o644
}

type tarArchive struct {
	*tar.Writer
	gz *gzip.Writer
}

func newTar(out io.Writer) tarArchive {
	gz, _ := gzip.NewWriterLevel(out, gzip.BestCompression)
	return tarArchive{tar.NewWriter(gz), gz}
}

func (a tarArchive) add(name string, executable bool, content []byte, at time.Time) error {
	err := a.WriteHeader(&tar.Header{
		Name: name, Mode: int64(mode(executable)), Size: int64(len(content)), ModTime: at, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}
	_, err = a.Write(content)
	return err
}

func (a tarArchive) Close() error {
	if err := a.Writer.Close(); err != nil {
		return err
	}
	return a.gz.Close()
}

type zipArchive struct{ *zip.Writer }

func (a zipArchive) add(name string, executable bool, content []byte, at time.Time) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at}
	header.SetMode(mode(executable))
	w, err := a.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
