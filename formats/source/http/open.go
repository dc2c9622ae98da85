package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"wfs/formats/source"
	"wfs/formats/source/blocks"
)

// opening is how much of the beginning, and of the end, comes with the answer that tells of the
// file: two blocks.
const opening = 2 * blocks.Size

// headed are the endings of files that are read from the beginning alone when they are opened.
var headed = []string{".safetensors", ".sft", ".json", ".txt", ".md", ".h5", ".hdf5", ".gguf", ".npy", ".py", ".model"}

// HasTail reports whether a file of that name may be a zip file, whose directory is at its end.
func HasTail(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	for _, h := range headed {
		if ext == h {
			return false
		}
	}
	return true
}

// pin is what is remembered of a file.
type pin struct {
	validator
	Size int64     `json:"size"`
	Time time.Time `json:"time"`
}

// Open opens a file. Its beginning comes in the same round trip, and its end where it has one
// that is read. A server that cannot be reached, whose file was opened before, is done without:
// what of it is in the cache can be read.
func (c *Client) Open(ctx context.Context, a *Address) (source.Source, error) {
	f, err := c.open(ctx, a)
	if err != nil && Offline(err) {
		if known, ok := c.recall(a); ok {
			c.Note(fmt.Sprintf("%s: %v: it is shown as it was on %s, and what of it is in the cache can be read", a, err, known.Time.Format(time.DateTime)))
			return c.file(a, known), nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	return f, nil
}

func (c *Client) noteName(a *Address) string { return "http " + a.identity() }

func (c *Client) recall(a *Address) (p pin, ok bool) {
	text, _ := c.cache.Note(c.noteName(a))
	return p, text != nil && json.Unmarshal(text, &p) == nil && p.Size > 0
}

// span is some bytes that came, of a version.
type span struct {
	pin
	at   *place
	off  int64
	data []byte
}

func (c *Client) open(ctx context.Context, a *Address) (source.Source, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tail := make(chan span, 1)
	if HasTail(a.Name()) {
		go func() {
			s, err := c.span(ctx, a, fmt.Sprintf("bytes=-%d", opening))
			if err != nil {
				s = span{}
			}
			tail <- s
		}()
	}
	var head span
	err := c.Try(ctx, func(ctx context.Context) (err error) {
		head, err = c.span(ctx, a, fmt.Sprintf("bytes=0-%d", opening-1))
		return err
	})
	if err != nil {
		return nil, err
	}
	if head.off != 0 || int64(len(head.data)) != min(opening, head.Size) {
		return nil, fmt.Errorf("the server gives %d bytes from %d on where the first %d were asked for: download it first, and name the file", len(head.data), head.off, opening)
	}
	if head.validator == (validator{}) {
		return nil, errors.New("the server gives neither an ETag nor the time that it was modified, so that a change would go unnoticed: download it first, and name the file")
	}
	f := c.file(a, head.pin)
	f.remote.place = head.at
	f.Seed(0, head.data)
	if HasTail(a.Name()) && head.Size > opening {
		select {
		case s := <-tail:
			if s.validator == head.validator && s.Size == head.Size {
				f.Seed(s.off, s.data)
			}
		case <-time.After(c.patience.Stall): // who needs it asks again
		}
	}
	head.Time = time.Now()
	if text, err := json.Marshal(head.pin); err == nil {
		c.cache.SetNote(c.noteName(a), text)
	}
	return f, nil
}

// span asks for a part of a file of which nothing is known.
func (c *Client) span(ctx context.Context, a *Address, which string) (s span, err error) {
	resp, err := c.Do(ctx, a, nil, http.Header{"Range": {which}})
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && resp.ContentLength == 0 ||
		resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && resp.Header.Get("Content-Range") == "bytes */0" {
		return s, errors.New("it is empty")
	}
	off, n, size, err := part(resp)
	if err != nil {
		return s, err
	}
	if n > opening {
		return s, fmt.Errorf("the server gives %d bytes where %d were asked for: download it first, and name the file", n, opening)
	}
	s = span{pin: pin{validator: validatorOf(resp.Header), Size: size}, at: &place{resp.At, validatorOf(resp.Header)}, off: off, data: make([]byte, n)}
	if _, err := io.ReadFull(resp.Body, s.data); err != nil {
		return s, &blocks.Temporary{Err: fmt.Errorf("the connection was cut: %w", err)}
	}
	return s, nil
}

// file is a file with its remote.
type file struct {
	*blocks.File
	remote *Remote
}

// file makes a source of what was pinned.
func (c *Client) file(a *Address, p pin) file {
	remote := &Remote{client: c, address: a, size: p.Size, want: p.validator}
	version := p.ETag
	modified, _ := http.ParseTime(p.Modified)
	if version == "" {
		version = p.Modified
	}
	return file{blocks.NewFile(c.cache, blocks.Pin{
		Path: a.String(), Name: a.Name(), ModTime: modified, Size: p.Size,
		Identity: fmt.Sprintf("%s %s %d bytes", a.identity(), version, p.Size), Tail: HasTail(a.Name()),
	}, remote, c.patience), remote}
}
