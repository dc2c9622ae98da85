package huggingface

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"wfs/formats/source"
)

// isRepository reports whether entries are those of a repository in the Hub's cache, whose
// files are in snapshots/REVISION (huggingface_hub/file_download.py).
func isRepository(entries []source.Entry) bool {
	has := func(name string) bool {
		return slices.Contains(entries, source.Entry{Name: name, Kind: source.Directory})
	}
	return has("snapshots") && (has("blobs") || has("refs"))
}

// enterSnapshot goes to the snapshot of a repository that was named itself: the one that
// refs/main names, or the only one.
func (r *reader) enterSnapshot() error {
	entries, err := r.dir.List("")
	if err != nil || !isRepository(entries) {
		return err
	}
	entries, err = r.dir.List("snapshots")
	if err != nil {
		return err
	}
	var revisions []string
	for _, e := range entries {
		if e.Kind == source.Directory {
			revisions = append(revisions, path.Join("snapshots", e.Name))
		}
	}
	wanted, why := path.Join("snapshots", r.mainRevision()), "which refs/main names"
	if len(revisions) == 1 && wanted != revisions[0] {
		wanted, why = revisions[0], "the only one"
	}
	if !slices.Contains(revisions, wanted) {
		if len(revisions) == 0 {
			return r.fail("it is a repository of the Hub's cache without a snapshot: download the model again")
		}
		return r.fail("it is a repository of the Hub's cache, and refs/main names none of its snapshots: mount one of %s", some(revisions))
	}
	dir, ok := r.dir.(source.Nested)
	if !ok {
		return r.fail("it is a repository of the Hub's cache: mount %s in it", printed(wanted, ""))
	}
	if r.dir, err = dir.Sub(wanted); err != nil {
		return err
	}
	r.model.Dir = r.dir
	r.note(fmt.Sprintf("it is a repository of the Hub's cache: the mount shows %s, %s", printed(wanted, ""), why))
	return nil
}

// mainRevision is what refs/main says, "" where it says nothing.
func (r *reader) mainRevision() string {
	src, err := r.dir.Open("refs/main")
	if err != nil {
		return ""
	}
	defer src.Close()
	text, err := io.ReadAll(io.NewSectionReader(src, 0, min(src.Size(), 256)))
	revision := strings.TrimSpace(string(text))
	if err != nil || revision == "" || strings.ContainsAny(revision, "/\x00") {
		return ""
	}
	return revision
}
