package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/audit"
	"wfs/formats/report"
	"wfs/formats/view"
)

// ReportOptions are the flags of wfs report.
type ReportOptions struct {
	ViewOptions
	ProgressOptions
	Output string
	Stats  bool
	Force  bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *ReportOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.Output, "output", "o", o.Output, "write to this `file`; - is stdout (default NAME.report.html)")
	o.ViewOptions.AddFlags(flags)
	flags.BoolVar(&o.Stats, "stats", o.Stats, "read every tensor, and tell of its values: range, mean, deviation, zeros, NaN, histogram")
	o.ProgressOptions.AddFlags(flags)
	flags.BoolVarP(&o.Force, "force", "f", o.Force, "replace the file if it is there")
}

// Validate checks the command line.
func (o *ReportOptions) Validate(args []string) error {
	if len(args) != 1 {
		return usagef("report takes one SOURCE")
	}
	if err := o.ProgressOptions.Validate(); err != nil {
		return err
	}
	return o.ViewOptions.Validate()
}

func newReport(a *app) *cobra.Command {
	opt := &ReportOptions{}
	cmd := &cobra.Command{
		Use:        "report [flags] SOURCE",
		SuggestFor: []string{"html", "page", "summary", "describe", "stats"},
		Short:      "write a page on what a source holds",
		Long: `
The page is one HTML file that loads nothing else and is readable without JavaScript: sizes by
prefix, dtypes, every tensor (20 000 at most), what is tied and what is left out and why, what the
pickles would import and call, metadata, and everything that is not a tensor. A mount has it as
meta/report.html.

--stats reads every tensor twice, on all processors, and adds the least and greatest value, mean,
standard deviation, zeros and a histogram of each, and a list of those with NaN, infinities, rows
of zeros, or values beyond six standard deviations.`,
		Example: `
  wfs report model.pt                     # writes model.pt.report.html
  wfs report --stats -o bert.html ~/models/bert`,
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.report(opt, args[0]) },
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) report(opt *ReportOptions, source string) error {
	output := opt.Output
	if output == "" {
		output = filepath.Base(absolutePath(source)) + ".report.html"
	}
	if _, err := os.Lstat(output); err == nil && output != "-" && !opt.Force {
		return fmt.Errorf("%s is there already: --force replaces it", output)
	}
	plan, err := opt.open(source)
	if err != nil {
		return err
	}
	defer plan.Close()
	a.printNotes(plan.Notes())
	page := report.Options{}
	if plan.MayUnpickle() {
		page.Reports = func() ([]*audit.Report, error) { return audit.Collect(plan.Opened()) }
	}
	if opt.Stats {
		if page.Stats, page.Notes, err = a.measure(opt, plan); err != nil {
			return err
		}
	}
	if output == "-" {
		return report.Write(a.stdout, plan, page)
	}
	return writeFile(output, opt.Force, func(w io.Writer) error { return report.Write(w, plan, page) })
}

// measure reads all tensors, twice.
func (a *app) measure(opt *ReportOptions, plan *view.Plan) (stats report.Stats, skipped []string, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	total := int64(0)
	for _, t := range plan.Shown.Tensors() {
		if t.Tied == nil {
			total += 2 * t.Data.Size()
		}
	}
	p := a.startProgress(opt.ProgressOptions, "measure", total)
	defer p.stop()
	stats, skipped, err = report.Measure(ctx, plan, p.add)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("interrupted: nothing is written")
	}
	return stats, skipped, err
}

// writeFile writes a file that is complete or not there: under another name in the same
// directory, until it is.
func writeFile(path string, force bool, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return shortPath(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return shortPath(err)
	}
	if err := f.Chmod(0o644); err != nil {
		return shortPath(err)
	}
	if err := f.Close(); err != nil {
		return shortPath(err)
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s is there already: --force replaces it", path)
	}
	return os.Rename(f.Name(), path)
}
