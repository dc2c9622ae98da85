package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/export"
	"wfs/formats/quantity"
	"wfs/formats/safetensors"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// copying is one run of wfs cp.
type copying struct {
	*app
	opt  *CopyOptions
	plan *view.Plan
	dest string
}

// toFile copies the view of one set of weights.
func (c *copying) toFile(ctx context.Context, kind destination) error {
	data, notes, err := c.oneFile()
	if err != nil {
		return fmt.Errorf("%s: %w", c.plan.Model.Path, err)
	}
	c.printNotes(slices.Concat(c.plan.Notes(), notes))
	f := export.File{Data: data}
	if c.opt.Preserve {
		for s := range sources(c.plan.Opened()) {
			if s.ModTime().After(f.ModTime) {
				f.ModTime = s.ModTime()
			}
		}
	}
	size := data.Size()
	if kind == toStdout {
		if isTerminal(os.Stdout) {
			return errors.New("cp: the standard output is a terminal: send it to a file or a program")
		}
		p := c.startProgress(c.opt.ProgressOptions, "copying", size)
		defer p.stop()
		opt := c.options(p)
		return export.Stream(ctx, os.Stdout, f, opt)
	}
	if err := c.checkRoom(size); err != nil {
		return err
	}
	p := c.startProgress(c.opt.ProgressOptions, "copying", c.work(size))
	defer p.stop()
	return export.Write(ctx, c.dest, f, c.options(p))
}

// oneFile is the bytes of the view as one file, and what is to be said of it.
func (c *copying) oneFile() (data segment.Data, notes []string, err error) {
	set, note, err := mainSet(c.plan)
	if err != nil {
		return nil, nil, err
	}
	if note != "" {
		notes = append(notes, note)
	}
	merged, err := set.Merged()
	if err != nil {
		return nil, nil, err
	}
	if merged.Verbatim {
		return merged.Source, notes, nil
	}
	layout, _, err := safetensors.NewLayout(merged.Entries, merged.Metadata)
	if err != nil {
		return nil, nil, err
	}
	if layout.DataSize() == 0 && len(layout.Keys()) == 0 {
		return nil, nil, errors.New(c.plan.Lacks)
	}
	if n := len(set.Files); n > 1 {
		notes = append(notes, fmt.Sprintf("%d shards are merged into one file", n))
	}
	if note := layout.Note(); note != "" {
		notes = append(notes, note)
	}
	data, err = layout.File()
	return data, notes, err
}

// mainSet is the set of a plan that one file can hold: the only one, or that of the
// directory itself where there are others below.
func mainSet(plan *view.Plan) (set view.Set, note string, err error) {
	var others []string
	for _, s := range plan.Sets {
		others = append(others, s.Place())
	}
	switch {
	case len(others) == 1:
		return plan.Sets[0], "", nil
	case len(others) == 0:
		return view.Set{}, "", errors.New("it holds no weights")
	case others[0] != "":
		return view.Set{}, "", fmt.Errorf("it holds several models, and one file holds one: copy to a directory, or copy one of %s", some(others))
	}
	return plan.Sets[0], fmt.Sprintf("%s: left out, for the file holds the weights of the directory itself (a directory as DEST gets all)", some(others[1:])), nil
}

// toDir copies what a mount shows.
func (c *copying) toDir(ctx context.Context) error {
	layout := c.opt.Layout
	if layout == "" {
		layout = tree.HF
	}
	files, err := tree.Build(c.plan, tree.Options{Layout: layout})
	if err != nil {
		return err
	}
	list, links := entries(files, c.opt.Preserve)
	names, size := map[string]bool{}, int64(0)
	for _, e := range list {
		names[e.Path] = true
		if e.Link == "" {
			size += e.Size
		}
	}
	if err := checkReplaced(c.dest, c.opt.Force, names); err != nil {
		return err
	}
	if err := c.checkRoom(size); err != nil {
		return err
	}
	notes := slices.Concat(c.plan.Notes(), files.Notes)
	if links > 0 {
		notes = append(notes, fmt.Sprintf("%d files are hard links to others, as in a mount", links))
	}
	c.printNotes(notes)
	p := c.startProgress(c.opt.ProgressOptions, "copying", c.work(size))
	defer p.stop()
	return export.WriteDir(ctx, c.dest, list, c.options(p))
}

// work is how many bytes there are to tell of.
func (c *copying) work(size int64) int64 {
	if c.opt.Verify {
		return 2 * size
	}
	return size
}

func (c *copying) options(p *progress) export.Options {
	return export.Options{
		Replace: c.opt.Force, Verify: c.opt.Verify, NoSync: c.opt.NoSync, Progress: p.add,
		Check: func() error { return verifySources(c.plan.Opened()) },
	}
}

// verifySources is an error where a source is no longer the one that was opened.
func verifySources(models []*checkpoint.Model) error {
	for s := range sources(models) {
		if err := s.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// checkRoom refuses what does not fit. Of a sparse source nobody knows what it will take.
func (c *copying) checkRoom(size int64) error {
	free, known := export.Free(filepath.Dir(c.dest))
	if !known || size <= free {
		return nil
	}
	for s := range sources(c.plan.Opened()) {
		if local, ok := s.(*source.Local); ok && export.Sparse(local.File()) {
			return nil
		}
	}
	return fmt.Errorf("%s: no space: it takes %s, and %s has %s", c.dest, quantity.Bytes(size), strings.TrimSuffix(filepath.Dir(c.dest), "/")+"/", quantity.Bytes(free))
}
