package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"wfs/formats/checkpoint"
)

// modelEntry is a model of a directory that has several, in the JSON of ls.
type modelEntry struct {
	Path string `json:"path"`
	*totals
	Error string `json:"error,omitempty"`
}

// models lists the models of a directory. One that cannot be read says why, and does not
// hide the others.
func (l *listing) models(dir string, names []string) error {
	entries := make([]modelEntry, len(names))
	for i, name := range names {
		entries[i] = l.model(filepath.Join(dir, filepath.FromSlash(name)))
	}
	failed := 0
	for _, e := range entries {
		if e.Error != "" {
			failed++
		}
	}
	switch {
	case l.opt.JSON:
		err := json.NewEncoder(l.stdout).Encode(struct {
			Source string       `json:"source"`
			Models []modelEntry `json:"models"`
		}{dir, entries})
		if err != nil {
			return err
		}
	default:
		l.modelTable(entries)
	}
	if failed > 0 {
		return exitError(exitFailure)
	}
	return nil
}

func (l *listing) model(path string) modelEntry {
	e := modelEntry{Path: path}
	plan, err := l.opt.open(path)
	var several *checkpoint.Several
	switch {
	case errors.As(err, &several):
		e.Error = several.Error()
		return e
	case err != nil:
		e.Error = strings.TrimPrefix(oneLine(err.Error()), path+": ")
		return e
	}
	defer plan.Close()
	e.totals = totalOf(listedTensors(plan, &l.opt.ViewOptions))
	return e
}

func (l *listing) modelTable(entries []modelEntry) {
	if l.opt.TSV {
		fmt.Fprintln(l.stdout, "path\ttensors\tparameters\tbytes\terror")
		for _, e := range entries {
			t := e.totals
			if t == nil {
				t = &totals{}
			}
			fmt.Fprintf(l.stdout, "%s\t%d\t%d\t%d\t%s\n", visible(e.Path), t.Tensors, t.Parameters, t.Bytes, e.Error)
		}
		return
	}
	width := len("MODEL")
	for _, e := range entries {
		width = max(width, utf8.RuneCountInString(visible(e.Path)))
	}
	fmt.Fprintln(l.stdout, l.style.bold("MODEL"+strings.Repeat(" ", width-len("MODEL"))+"  HOLDS"))
	for _, e := range entries {
		path := visible(e.Path)
		what := e.Error
		if e.totals != nil {
			what = e.totals.String()
		}
		fmt.Fprintf(l.stdout, "%s%s  %s\n", l.style.directory(path), strings.Repeat(" ", width-utf8.RuneCountInString(path)), what)
	}
}
