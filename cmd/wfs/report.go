package main

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/audit"
	"wfs/formats/export"
	"wfs/formats/report"
	"wfs/formats/segment"
	"wfs/formats/source"
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
		Annotations:       exitCodes(usualExitCodes + ", 128 and the signal's number when interrupted"),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault),
		Args:              func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:              func(_ *cobra.Command, args []string) error { return a.report(opt, args[0]) },
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	return cmd
}

func (a *app) report(opt *ReportOptions, from string) error {
	output := opt.Output
	if output == "" {
		output = filepath.Base(strings.TrimSuffix(formats.Shown(absolutePath(from)), "?…")) + ".report.html"
	}
	plan, err := opt.open(from)
	if err != nil {
		return err
	}
	defer plan.Close()
	var to place
	if output != stdout {
		if to, err = placeOf(output); err == nil {
			err = cmp.Or(to.checkNotSource(plan.Opened(), exceptPages(sources(plan.Opened()))), to.checkFile(opt.Force))
		}
		if err != nil {
			return err
		}
	}
	a.printNotes(plan.Notes())
	page := report.Options{}
	if plan.MayUnpickle() {
		page.Reports = func() ([]*audit.Report, error) { return audit.Collect(plan.Opened()) }
	}
	if opt.Stats {
		if page.Stats, page.Notes, err = a.measure(opt, plan); err != nil {
			return a.interrupted("report", output, err)
		}
	}
	if output == stdout {
		return report.Write(a.stdout, plan, page)
	}
	var written bytes.Buffer
	if err := report.Write(&written, plan, page); err != nil {
		return err
	}
	return export.Write(context.Background(), to.path, export.File{Data: segment.Literal(written.Bytes())}, export.Options{
		Replace: opt.Force, Check: func() error { return verifySources(plan.Opened()) },
	})
}

// exceptPages is files without the pages among them: that of a directory may lie in it, and
// is a file of the model from then on.
func exceptPages(files iter.Seq[source.Source]) iter.Seq[source.Source] {
	return func(yield func(source.Source) bool) {
		for f := range files {
			if filepath.Ext(f.Path()) != ".html" && !yield(f) {
				return
			}
		}
	}
}

// measure reads all tensors, twice.
func (a *app) measure(opt *ReportOptions, plan *view.Plan) (stats report.Stats, skipped []string, err error) {
	ctx, stop := interruptible()
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
		return nil, nil, context.Cause(ctx)
	}
	return stats, skipped, err
}
