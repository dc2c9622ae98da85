package main

import (
	"fmt"
	"io"
	"os"

	"wfs/formats"
	"wfs/formats/audit"
	"wfs/formats/source"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ScanOptions are the flags of wfs scan.
type ScanOptions struct {
	JSON bool
	RemoteOptions
}

// AddFlags registers the flags. What is set already is their default.
func (o *ScanOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.JSON, "json", o.JSON, "print one JSON object for each file")
	o.RemoteOptions.AddFlags(flags)
}

// Validate checks the command line.
func (o *ScanOptions) Validate(args []string) error {
	if len(args) == 0 {
		return usagef("scan takes a FILE or a DIR")
	}
	return o.RemoteOptions.Validate()
}

func newScan(a *app) *cobra.Command {
	opt := &ScanOptions{}
	cmd := &cobra.Command{
		Use:        "scan [--json] FILE|DIR|-...",
		SuggestFor: []string{"verify", "check", "audit", "picklescan", "security"},
		Short:      "report what the pickles in files would import and call",
		Long: `
Reads every pickle in a file as data: all records of a zip whatever their names, all
streams of a legacy file, what is compressed, what is nested in bytes. Each global is
judged: allowed (on the list of torch's weights_only loader, or on ours), unknown, or
dangerous. What could not be looked into is unknown; a file in which nothing to unpickle
was found is reported as that. The report says what was seen; it does not say that a file
is harmless. Nothing is run. - is the standard input; a pipe is read to its end.`,
		Example: `
  wfs scan pytorch_model.bin
  wfs scan --json ~/models | jq .`,
		Annotations: exitCodes("0 clean, 2 something unknown, 3 something dangerous, 1 a file could not be read"),
		Args:        func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE:        func(_ *cobra.Command, args []string) error { return a.scan(opt, args) },
	}
	opt.AddFlags(cmd.Flags())
	return cmd
}

func (a *app) scan(opt *ScanOptions, paths []string) error {
	s := scan{app: a, asJSON: opt.JSON, sources: opt.sources()}
	for _, path := range paths {
		s.path(path)
	}
	switch {
	case s.worst == audit.Dangerous:
		return exitError(exitDangerous)
	case s.failed:
		return exitError(exitFailure)
	case s.worst == audit.Unknown:
		return exitError(exitUnknown)
	}
	return nil
}

// scan goes over files. One that cannot be read is reported and does not hide the others.
type scan struct {
	*app
	asJSON  bool
	sources *formats.Sources
	worst   audit.Verdict
	failed  bool
}

// path scans a file, or every file below a directory.
func (s *scan) path(path string) {
	if path == "-" {
		s.stream(path, os.Stdin)
		return
	}
	if formats.IsRemote(path) {
		s.remote(path)
		return
	}
	info, err := os.Stat(path)
	switch {
	case err != nil: // opening it says why
	case info.Mode()&os.ModeNamedPipe != 0:
		f, err := openPipe(path)
		if err != nil {
			s.fail(err)
			return
		}
		defer f.Close()
		s.stream(path, f)
		return
	case !info.IsDir() && !info.Mode().IsRegular():
		s.fail(fmt.Errorf("%s: is neither a file nor a pipe: it is not read", path))
		return
	case info.IsDir():
		dir, err := source.OpenDir(path)
		if err != nil {
			s.fail(shortPath(err))
			return
		}
		defer dir.Close()
		for report, err := range audit.Dir(dir) {
			s.add(report, err)
		}
		return
	}
	src, err := source.Open(path)
	if err != nil {
		s.fail(shortPath(err))
		return
	}
	defer src.Close()
	s.add(audit.File(src))
}

// remote scans what is not on this machine.
func (s *scan) remote(name string) {
	place, err := s.sources.Find(name)
	if err != nil {
		s.fail(err)
		return
	}
	defer place.Dir.Close()
	defer func() { s.printNotes(s.sources.Notes()) }()
	if place.Name == "" {
		for report, err := range audit.Dir(place.Dir) {
			s.add(report, err)
		}
		return
	}
	src, err := place.Dir.Open(place.Name)
	if err != nil {
		s.fail(shortPath(err))
		return
	}
	defer src.Close()
	s.add(audit.File(src))
}

// stream scans what a pipe gives.
func (s *scan) stream(name string, r io.Reader) {
	src, err := spool(name, r)
	if err != nil {
		s.fail(fmt.Errorf("%s: %w", name, err))
		return
	}
	defer src.Close()
	s.add(audit.File(src))
}

func (s *scan) fail(err error) {
	s.complain(err)
	s.failed = true
}

// add prints a report, or why there is none.
func (s *scan) add(report *audit.Report, err error) {
	if err != nil {
		s.fail(shortPath(err))
		return
	}
	s.worst = max(s.worst, report.Verdict)
	text := []byte(report.Text())
	if s.asJSON {
		if text, err = report.JSON(); err != nil {
			s.fail(err)
			return
		}
	}
	s.stdout.Write(text)
	if err := s.stdout.Flush(); err != nil { // before what is said of the next file on stderr
		s.fail(err)
	}
}
