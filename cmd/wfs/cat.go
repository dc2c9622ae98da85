package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/arrayprint"
	"wfs/formats/checkpoint"
	"wfs/formats/export"
	"wfs/formats/keys"
	"wfs/formats/npy"
	"wfs/formats/ops"
	"wfs/formats/segment"
	"wfs/formats/slicing"
	"wfs/formats/source"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// CatOptions are the flags of wfs cat.
type CatOptions struct {
	ViewOptions
	NPY, JSON, Text bool
	Slice           string
}

// AddFlags registers the flags. What is set already is their default.
func (o *CatOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Text, "text", o.Text, "print it as NumPy prints an array")
	flags.BoolVar(&o.NPY, "npy", o.NPY, "write a .npy file")
	flags.BoolVar(&o.JSON, "json", o.JSON, "print a JSON object: key, dtype, shape and values, nested")
	flags.StringVar(&o.Slice, "slice", o.Slice, "take a `part`, as NumPy does of an array: '0:10, :, ::2'")
	o.ViewOptions.AddFlags(flags)
}

// Validate checks the command line and touches nothing.
func (o *CatOptions) Validate(args []string) error {
	if len(args) < 2 || args[0] == "" {
		return usagef("cat takes a SOURCE and a KEY")
	}
	forms := 0
	for _, set := range []bool{o.NPY, o.JSON, o.Text} {
		if set {
			forms++
		}
	}
	if forms > 1 {
		return usagef("--npy, --json and --text contradict each other")
	}
	if _, err := o.slice(); err != nil {
		return err
	}
	return o.ViewOptions.Validate()
}

// slice is what --slice takes, nil for everything.
func (o *CatOptions) slice() (*slicing.Slice, error) {
	if o.Slice == "" {
		return nil, nil
	}
	s, err := slicing.Parse(o.Slice)
	if err != nil {
		return nil, usagef("--slice %q: %w", o.Slice, err)
	}
	return &s, nil
}

func newCat(a *app) *cobra.Command {
	opt := &CatOptions{}
	cmd := &cobra.Command{
		Use:        "cat [flags] SOURCE KEY...",
		SuggestFor: []string{"print", "dump", "read", "head"},
		Short:      "write a tensor, or another file of a mount, to the standard output",
		Long: `
KEY is the key of a tensor, as wfs ls prints it or as its file is called in a mount. Its bytes
are written as they are: in C order, little endian. KEY can also be the path of any file that
a mount would show (meta/objects.json, config.json, f32/KEY.npy). With --text and --json it can
be a pattern: * is anything, ? one character, [0-3] and {q,k} a choice.

--slice reads no more than what it takes: integers, start:stop:step, negative ones too, ... and
None. What has no name in NumPy (bfloat16, float8) is printed as the float32 that it is.
In the JSON, NaN and infinities are strings, and a complex number is [re, im].`,
		Example: `
  wfs cat --text model.pt fc.weight
  wfs cat --text --slice '0, -3:' model.pt fc.weight
  wfs cat --text model.pt 'layers.0.*.bias'
  wfs cat model.pt meta/objects.json           # epoch, arguments and whatever else is not a tensor
  wfs cat --npy model.pt fc.weight > fc.npy
  wfs cat model.pt fc.weight | sha256sum`,
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.cat(opt, args[0], args[1:]) },
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) cat(opt *CatOptions, from string, names []string) error {
	plan, err := opt.open(from)
	if err != nil {
		return err
	}
	defer plan.Close()
	c := &catting{app: a, opt: opt, plan: plan}
	if c.slice, err = opt.slice(); err != nil {
		return err
	}
	for _, name := range names {
		if err := c.name(name); err != nil {
			return err
		}
	}
	return nil
}

// catting is one run of wfs cat.
type catting struct {
	*app
	opt     *CatOptions
	plan    *view.Plan
	slice   *slicing.Slice
	files   *tree.Tree
	written int // tensors
}

// tensors are those that a key can name, as wfs ls lists them.
func (c *catting) tensors() iter.Seq[listed] { return listedTensors(c.plan, &c.opt.ViewOptions) }

// name writes what a KEY of the command line names.
func (c *catting) name(name string) error {
	found, err := c.find(name)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return c.file(name)
	}
	if len(found) > 1 && !c.opt.Text && !c.opt.JSON {
		return usagef("%.200q matches %d tensors: --text and --json print several", name, len(found))
	}
	for _, t := range found {
		if err := c.tensor(t, keys.IsPattern(name)); err != nil {
			return fmt.Errorf("%s: %.200q: %w", c.plan.Model.Path, t.key, err)
		}
	}
	return nil
}

// find is the tensors with a key: that key, or else that file name, or those that match it.
func (c *catting) find(name string) ([]listed, error) {
	var byName, matching []listed
	pattern := keys.Compile(name)
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".npy"), ".bin")
	for t := range c.tensors() {
		switch {
		case t.key == name:
			return []listed{t}, nil
		case tree.EncodeName(t.key) == name || tree.EncodeName(t.key) == base:
			byName = append(byName, t)
		case keys.IsPattern(name) && pattern.Match(t.key):
			matching = append(matching, t)
		}
	}
	if len(byName) > 0 {
		return byName[:1], nil
	}
	return matching, nil
}

// file writes a file that a mount would show.
func (c *catting) file(name string) error {
	if c.files == nil {
		files, err := tree.Build(c.plan, tree.Options{})
		if err != nil {
			return err
		}
		c.files = files
	}
	path := strings.TrimPrefix(name, "./")
	f, err := c.files.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return noSuchKey(c.plan.Model.Path, name, keysOf(c.tensors()))
		}
		return shortPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s: %.200q is a directory of a mount: name a file in it, or a key", c.plan.Model.Path, name)
	case c.opt.NPY || c.opt.JSON || c.opt.Text || c.slice != nil:
		return usagef("--npy, --json, --text and --slice are for tensors, and %.200q is a file", name)
	}
	if r, ok := f.(io.ReaderAt); ok && isTerminal(os.Stdout) {
		if err := refuseBinary(segment.Head(sized{r, info.Size()}, 4<<10)); err != nil {
			return err
		}
	}
	_, err = io.Copy(c.stdout, f)
	return err
}

// sized is a file of known size as Data.
type sized struct {
	io.ReaderAt
	size int64
}

func (s sized) Size() int64 { return s.size }

// refuseBinary is an error where bytes are not text: a terminal would obey some of them.
func refuseBinary(head []byte) error {
	if slices.ContainsFunc(head, func(b byte) bool { return b < ' ' && b != '\n' && b != '\t' && b != '\r' || b == 0x7f }) {
		return errors.New("cat: binary data is not for a terminal: print it with --text, or send it to a file or a program")
	}
	return nil
}

// tensor writes a tensor in the form that is asked for. titled says that others may follow.
func (c *catting) tensor(t listed, titled bool) error {
	part := t.Tensor
	if c.slice != nil {
		var err error
		if c.opt.Text || c.opt.JSON {
			part = unpacked(part)
		}
		if part, err = c.slice.Of(part); err != nil {
			return err
		}
	}
	part = verifiedTensor(part, t.source)
	defer func() { c.written++ }()
	switch {
	case c.opt.Text:
		if titled {
			if c.written > 0 {
				c.stdout.WriteByte('\n')
			}
			fmt.Fprintf(c.stdout, "%s %s %s\n", visible(t.key), t.DType, checkpoint.ShapeText(part.Shape))
		}
		if err := arrayprint.Text(c.stdout, part); err != nil {
			return err
		}
		return c.stdout.WriteByte('\n')
	case c.opt.JSON:
		fmt.Fprintf(c.stdout, `{"key": %s, "dtype": %q, "shape": %s, "values": `, jsonText(t.key), t.DType, checkpoint.ShapeText(part.Shape))
		if err := arrayprint.JSON(c.stdout, part); err != nil {
			return err
		}
		c.stdout.WriteByte('}')
		return c.stdout.WriteByte('\n')
	}
	if isTerminal(os.Stdout) && part.Data.Size() > 0 {
		return errors.New("its bytes are not for a terminal: print it with --text, or send it to a file or a program")
	}
	data := part.Data
	if c.opt.NPY {
		header := segment.Literal(npy.Header(npy.Descr(part.DType), npy.Shape(part.DType, part.Shape)))
		var err error
		if data, err = segment.NewList(header, data); err != nil {
			return err
		}
	}
	return export.Stream(context.Background(), c.stdout, export.File{Data: data}, export.Options{Check: t.source.Verify})
}

// unpacked is a tensor whose elements lie in bytes of their own: as float32, where several are
// packed into one, or in a block that has scales.
func unpacked(t *checkpoint.Tensor) *checkpoint.Tensor {
	if elements, _ := t.DType.Block(); elements == 1 {
		return t
	}
	wide := *t
	var err error
	if wide.Data, err = ops.Cast(t.Data, t.DType, checkpoint.F32); err != nil {
		return t
	}
	wide.DType = checkpoint.F32
	return &wide
}

// verifiedTensor is a tensor of whose bytes none is given out that was read while its source
// changed.
func verifiedTensor(t *checkpoint.Tensor, src source.Source) *checkpoint.Tensor {
	checked := *t
	checked.Data = source.Verified(t.Data, src)
	return &checked
}
