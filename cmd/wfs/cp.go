package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/export"
	"wfs/formats/source"
	"wfs/formats/tree"
)

// CopyOptions are the flags of wfs cp.
type CopyOptions struct {
	ViewOptions
	ProgressOptions
	Layout   string
	Force    bool
	Verify   bool
	Preserve bool
	NoSync   bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *CopyOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Layout, "layout", o.Layout, "of a directory: hf (the default), full or tensors, as of a mount")
	o.ViewOptions.AddFlags(flags)
	flags.BoolVarP(&o.Force, "force", "f", o.Force, "replace DEST")
	flags.BoolVar(&o.Verify, "verify", o.Verify, "read back what was written, and compare it with the source")
	flags.BoolVarP(&o.Preserve, "preserve", "p", o.Preserve, "keep the modification times of the source")
	flags.BoolVar(&o.NoSync, "no-sync", o.NoSync, "return before the bytes are on the disk, as cp does")
	o.ProgressOptions.AddFlags(flags)
}

// Validate checks the command line and touches nothing.
func (o *CopyOptions) Validate(args []string) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return usagef("cp takes a SOURCE and a DEST")
	}
	if o.Layout != "" && !slices.Contains(layouts, o.Layout) {
		return usagef("--layout is full, hf or tensors, not %q", o.Layout)
	}
	if err := o.ProgressOptions.Validate(); err != nil {
		return err
	}
	return o.ViewOptions.Validate()
}

func newCp(a *app) *cobra.Command {
	opt := &CopyOptions{}
	cmd := &cobra.Command{
		Use:        "cp [flags] SOURCE DEST",
		SuggestFor: []string{"copy", "convert", "export", "save"},
		Short:      "copy what a mount would show: to one .safetensors file, or to a directory",
		Long: `
A DEST that ends in .safetensors gets the view in one file; shards are merged into it. Any
other DEST is a directory: it gets what wfs mount --layout hf shows (weights, index,
config.json and whatever else lies beside them), with --layout full all that a mount shows.
Tensors that are tied, and files that are the same in a mount, are hard links. - is the
standard output, which gets the one file.

DEST appears when it is complete, and not at all when something fails or cp is interrupted;
it has then been written to the disk. A run of zeros takes no room. Memory does not depend
on the size of the model. A source that changes meanwhile is an error.

--force replaces a file, or a directory all of whose files the copy has too.`,
		Example: `
  wfs cp model.pt model.safetensors
  wfs cp ~/models/llama-bin ~/models/llama     # for from_pretrained, vLLM
  wfs cp ~/models/llama llama.safetensors      # all shards in one file
  wfs cp --root ema_model checkpoint.pt ema.safetensors
  wfs cp --layout tensors model.pt arrays      # arrays/tensors/KEY.npy and so on
  wfs cp model.pt - | ssh host 'cat > model.safetensors'`,
		Annotations:       exitCodes("0 copied, 1 failure, 2 wrong usage, 128 and the signal's number when interrupted"),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault, cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.copy(opt, args[0], args[1]) },
	}
	opt.AddFlags(cmd.Flags())
	completeFlag(cmd, "layout", cobra.FixedCompletions(layouts, cobra.ShellCompDirectiveNoFileComp))
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) copy(opt *CopyOptions, from, dest string) error {
	kind, err := destinationOf(dest)
	if err != nil {
		return err
	}
	switch {
	case opt.Layout != "" && kind != toDir:
		return usagef("--layout is for a directory: what goes to a file is the view")
	case kind == toStdout && opt.Verify:
		return usagef("--verify cannot read back what went to the standard output")
	}
	plan, err := opt.open(from)
	if err != nil {
		return err
	}
	defer plan.Close()
	c := &copying{app: a, opt: opt, plan: plan, dest: dest}
	if kind != toStdout {
		if c.dest, err = checkDestination(plan.Opened(), dest, kind, opt.Force); err != nil {
			return err
		}
	}
	ctx, stop := interruptible()
	defer stop()
	if kind == toDir {
		err = c.toDir(ctx)
	} else {
		err = c.toFile(ctx, kind)
	}
	return a.interrupted("cp", dest, a.copyError(err, from, dest))
}

// copyError is what a user is told of a copy that failed.
func (a *app) copyError(err error, from, dest string) error {
	switch {
	case errors.Is(err, source.ErrStale):
		return fmt.Errorf("%w, while it was copied to %s, which is as it was", err, dest)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w (so is every mount of wfs)", err)
	}
	return err
}

// interruption is the cause of a context that a signal has ended.
type interruption struct{ syscall.Signal }

func (i interruption) Error() string { return "interrupted by " + i.String() }

// interruptible is a context that ends by the signals that ask to. stop lets them end the
// process again.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := endings()
	go func() {
		select {
		case s := <-signals:
			number, _ := s.(syscall.Signal)
			cancel(interruption{number})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		signal.Stop(signals)
	}
}

// interrupted is the error of a command that writes dest. Where a signal has ended it, that is
// said, and the exit code is the one of shells.
func (a *app) interrupted(command, dest string, err error) error {
	var by interruption
	if !errors.As(err, &by) {
		return err
	}
	a.complain(fmt.Errorf("%s: interrupted: %s is as it was", command, dest))
	return exitError(128 + int(by.Signal))
}

// entries is a tree of files in the order in which they can be written: a directory before
// what is in it, the first name of a file before its links.
func entries(files *tree.Tree, preserve bool) (list []export.Entry, links int) {
	first := map[*tree.File]string{}
	var walk func(d *tree.Dir, path string)
	walk = func(d *tree.Dir, path string) {
		for i := range d.Len() {
			name, n := d.Entry(i)
			name = path + name
			if n.Dir != nil {
				list = append(list, export.Entry{Path: name})
				walk(n.Dir, name+"/")
				continue
			}
			e := export.Entry{Path: name, Size: n.File.Size(), Open: func() (export.File, error) { return openNode(n.File, preserve) }}
			if e.Link = first[n.File]; e.Link == "" {
				first[n.File] = name
			} else {
				links++
			}
			list = append(list, e)
		}
	}
	walk(files.Root, "")
	return list, links
}

func openNode(n *tree.File, preserve bool) (export.File, error) {
	data, err := n.Open()
	f := export.File{Data: data}
	if preserve {
		f.ModTime = n.Source.ModTime()
	}
	return f, err
}

// plainName is a path without the slashes at its end.
func plainName(path string) string {
	if p := strings.TrimRight(path, string(os.PathSeparator)); p != "" {
		return p
	}
	return path
}
