// Package torch reads what torch.save and torch.jit.save wrote: zip files, the
// stacked pickles of torch before 1.6, the tar files before that, and plain
// pickles of tensors. The pickle is read as data by formats/pickle; the functions
// and classes that it names are recognised by their names and never called.
package torch

import (
	"errors"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// errNoPickle is a zip or tar file that torch did not write, or did not finish.
var errNoPickle = errors.New("it holds no data.pkl: torch did not write it, or did not finish")

// Detect says whether the file begins like one that torch writes, by its bytes.
// The order is torch's own (torch/serialization.py, load and _legacy_load).
func Detect(prefix []byte, file segment.Data) bool {
	return isZip(file) || isTar(file) || pickle.LooksLikePickle(prefix)
}

func isZip(file segment.Data) bool {
	b := make([]byte, len(zip.Magic))
	n, _ := file.ReadAt(b, 0)
	return string(b[:n]) == zip.Magic
}

// Open reads the pickles and headers of a torch file, and none of its storages.
func Open(src *source.Source) (*checkpoint.Checkpoint, error) {
	out := &checkpoint.Checkpoint{Source: src, Separator: ".", Framework: "pt"}
	out.Pickles = func() (checkpoint.Report, error) {
		report, err := Scan(src, src.Name())
		report.File = src.Name()
		return report, err
	}
	root, r, more, err := open(src, out)
	if err != nil {
		return nil, err
	}
	c := newCollector(r, out)
	c.walk("", root, 0)
	for _, m := range more {
		m.walk(c)
	}
	if c.fault != nil {
		return nil, c.fault
	}
	out.Root = c.chooseRoot(root)
	noteRoot(out)
	out.Objects = c.objects(root)
	return out, nil
}

func open(src *source.Source, out *checkpoint.Checkpoint) (pickle.Value, *resolver, []extra, error) {
	opt := pickle.OptionsFor(src.Size())
	switch {
	case isZip(src):
		root, r, more, err := openZip(src, opt)
		out.Format = "torch zip"
		if len(more) > 0 {
			out.Format = "TorchScript"
		}
		return root, r, more, err
	case isTar(src):
		root, r, err := openTar(src)
		out.Format = "torch tar"
		return root, r, nil, err
	}
	first, err := pickle.Load(src, 0, src.Size(), opt)
	if err != nil {
		return nil, nil, nil, err
	}
	if isLegacyMagic(first.Value) {
		root, r, err := openLegacy(src, first, opt)
		out.Format = "torch legacy"
		return root, r, nil, err
	}
	out.Format = "pickle"
	return first.Value, newResolver(src, noStorages, 0), nil, nil
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
	if len(c.out.Tensors) > 0 { // a frozen module has no tensors but these
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
func openZip(file segment.Data, opt pickle.Options) (pickle.Value, *resolver, []extra, error) {
	z, err := zip.Open(file, file.Size())
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := openArchive(z)
	if err != nil {
		return nil, nil, nil, err
	}
	root, r, err := a.load("data", opt)
	if err != nil {
		return nil, nil, nil, err
	}
	var more []extra
	if _, script := a.byName["constants.pkl"]; script {
		consts, cr, err := a.load("constants", opt)
		if err != nil {
			return nil, nil, nil, err
		}
		more = append(more, extra{"CONSTANTS.c", "TorchScript constant", consts, cr})
	}
	return root, r, more, nil
}

// load reads the pickle name.pkl, whose storages lie in the directory name.
func (a *archive) load(name string, opt pickle.Options) (pickle.Value, *resolver, error) {
	data, err := a.record(name + ".pkl")
	if err != nil {
		return nil, nil, err
	}
	if data == nil {
		return nil, nil, errNoPickle
	}
	if data, err = hold(data); err != nil {
		return nil, nil, fmt.Errorf("record %s%s.pkl: %w", a.prefix, name, err)
	}
	res, err := pickle.Load(data, 0, data.Size(), opt)
	if err != nil {
		return nil, nil, fmt.Errorf("record %s%s.pkl: %w", a.prefix, name, err)
	}
	return res.Value, newResolver(data, a.storageReader(name), len(res.PersIDs)), nil
}

// Bounds of a pickle that is deflated: no tool that re-zips a model makes one so large.
const (
	maxHeld     = 16 << 20
	maxDeflated = 1 << 30
)

// hold reads a deflated pickle into memory where it is small: its payloads are read in
// any order, and deflate starts anew for each.
func hold(data segment.Data) (segment.Data, error) {
	if !zip.Inflates(data) {
		return data, nil
	}
	if data.Size() > maxDeflated {
		return nil, fmt.Errorf("it inflates to %d bytes, wfs reads %d", data.Size(), maxDeflated)
	}
	if data.Size() > maxHeld {
		return data, nil
	}
	b := make([]byte, data.Size())
	if n, err := data.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return segment.Literal(b), nil
}
