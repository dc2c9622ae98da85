package torch

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// ErrNoPickle is a zip or tar file that torch did not write, or did not finish.
var ErrNoPickle = errors.New("it holds no data.pkl: torch did not write it, or did not finish")

// Format is the reader of what torch writes. What is inflated of zip files is kept in cache,
// and what transposed tensors have read in bands; either may be nil.
func Format(cache *deflate.Cache, bands *segment.Bands) checkpoint.Format {
	var files sync.RWMutex
	return checkpoint.Format{Name: "torch", Detect: detect, Open: func(src source.Source) (*checkpoint.Checkpoint, error) {
		t := begin(&files)
		defer t.end()
		return open(src, cache, bands, t)
	}}
}

// detect goes in torch's own order (torch/serialization.py, load and _legacy_load).
func detect(prefix []byte, file segment.Data) checkpoint.Match {
	if IsZip(prefix) || IsTar(prefix) || pickle.LooksLikePickle(prefix) || IsLegacy(file) {
		return checkpoint.Likely
	}
	return checkpoint.No
}

// IsZip reports whether a file that begins with prefix is one to torch.
func IsZip(prefix []byte) bool { return bytes.HasPrefix(prefix, []byte(zip.Magic)) }

// headLen is how much of a file tells its container: the header of a tar.
const headLen = 512

// headOf is the first bytes of a file, headLen at most.
func headOf(file segment.Data) []byte {
	return segment.Head(file, headLen)
}

// Open reads the pickles and headers of a torch file, and none of its storages. The caches
// are as for Format.
func Open(src source.Source, cache *deflate.Cache, bands *segment.Bands) (*checkpoint.Checkpoint, error) {
	return open(src, cache, bands, &turn{})
}

func open(src source.Source, cache *deflate.Cache, bands *segment.Bands, t *turn) (*checkpoint.Checkpoint, error) {
	root, r, more, format, err := load(src, cache, pickle.OptionsFor(src.Size()), t)
	if err != nil {
		return nil, err
	}
	c := newCollector(r, src.Size())
	c.bands = bands
	c.walk("", root, 0)
	for _, m := range more {
		m.walk(c)
	}
	if c.fault != nil {
		return nil, c.fault
	}
	candidates, top := c.candidates(root), ""
	if len(candidates) == 1 {
		top = candidates[0].Key
	}
	return &checkpoint.Checkpoint{
		Format: format, Source: src, Separator: ".", Framework: "pt", Unpickled: true, Notes: c.notes(root, top),
		Tensors: c.tensors, Omitted: c.omitted, Candidates: candidates, Objects: c.objects(root),
	}, nil
}

// load reads the pickles of a file: the object that was saved, what resolves its storages,
// the further pickles, and the name of the container.
func load(src segment.Data, cache *deflate.Cache, opt pickle.Options, t *turn) (root pickle.Value, r *resolver, more []extra, format string, err error) {
	head := headOf(src)
	if !IsZip(head) {
		t.large()
	}
	switch {
	case IsZip(head):
		root, r, more, err = openZip(src, cache, opt, t)
		if len(more) > 0 {
			return root, r, more, "TorchScript", err
		}
		return root, r, nil, "torch zip", err
	case IsTar(head):
		root, r, err = openTar(src)
		return root, r, nil, "torch tar", err
	}
	first, err := pickle.Load(src, 0, src.Size(), opt)
	if err != nil {
		return nil, nil, nil, "", err
	}
	if isLegacyMagic(first.Value) {
		root, r, err = openLegacy(src, first, opt)
		return root, r, nil, "torch legacy", err
	}
	return first.Value, newResolver(src, cache, noStorages, 0), nil, "pickle", nil
}

// extra is a further pickle of the same file whose tensors are no part of the
// state dict.
type extra struct {
	path, hidden string
	root         pickle.Value
	*resolver
}

// walk lists the tensors of an extra pickle beside those of the main one.
func (e extra) walk(c *collector) {
	main, hidden := c.resolver, c.hidden
	c.resolver = e.resolver
	if len(c.tensors) > 0 { // a frozen module has no tensors but these
		c.hidden = e.hidden
	}
	if list, ok := items(e.root); ok {
		for i, v := range list {
			c.walk(fmt.Sprintf("%s%d", e.path, i), v, 1)
		}
	}
	c.resolver, c.hidden = main, hidden
}

// openZip loads data.pkl, and constants.pkl where TorchScript wrote one.
func openZip(file segment.Data, cache *deflate.Cache, opt pickle.Options, t *turn) (pickle.Value, *resolver, []extra, error) {
	z, err := zip.Open(file, cache)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := openArchive(z, cache)
	if err != nil {
		return nil, nil, nil, err
	}
	root, r, err := a.load("data", opt, t)
	if err != nil {
		return nil, nil, nil, err
	}
	r.inventory = a.storages()
	var more []extra
	if _, script := a.find("constants.pkl"); script {
		consts, cr, err := a.load("constants", opt, t)
		if err != nil {
			return nil, nil, nil, err
		}
		more = append(more, extra{"CONSTANTS.c", "TorchScript constant", consts, cr})
	}
	return root, r, more, nil
}

// load reads the pickle name.pkl, whose storages lie in the directory name.
func (a *archive) load(name string, opt pickle.Options, t *turn) (pickle.Value, *resolver, error) {
	data, err := a.record(name + ".pkl")
	if err != nil {
		return nil, nil, err
	}
	if data == nil {
		return nil, nil, ErrNoPickle
	}
	if data, err = zip.Hold(data); err != nil {
		return nil, nil, fmt.Errorf("record %s%s.pkl: %w", a.prefix, name, err)
	}
	r := newResolver(data, a.cache, a.storageReader(name), len(a.Records))
	res, err := t.pickle(data, r.options(opt))
	if err != nil {
		return nil, nil, fmt.Errorf("record %s%s.pkl: %w", a.prefix, name, err)
	}
	return res.Value, r, nil
}
