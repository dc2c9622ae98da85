package main

import (
	"os"
	"wfs/formats/audit"
	"wfs/formats/source"

	"github.com/spf13/pflag"
)

var scanCommand = command{
	name: "scan", args: "[--json] FILE|DIR...", summary: "report what the pickles in files would import and call",
	help: `
Reads every pickle in a file as data: all records of a zip whatever their names, all
streams of a legacy file, what is nested in bytes. Each global is judged: allowed (on the
list of torch's weights_only loader, or on ours), unknown, or dangerous. The report says
what was seen; it does not say that a file is harmless. Nothing is run.

  wfs scan pytorch_model.bin
  wfs scan --json ~/models | jq .

exit codes: 0 clean, 2 something unknown, 3 something dangerous, 1 a file could not be read`,
	new: func(flags *pflag.FlagSet) func([]string) error {
		asJSON := flags.Bool("json", false, "print one JSON object for each file")
		return func(args []string) error {
			if len(args) == 0 {
				return usagef("scan takes a FILE or a DIR")
			}
			s := scan{asJSON: *asJSON}
			for _, path := range args {
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
	},
}

// scan goes over files. One that cannot be read is said and does not hide the others.
type scan struct {
	asJSON bool
	worst  audit.Verdict
	failed bool
}

// path scans a file, or every file below a directory.
func (s *scan) path(path string) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir, err := source.OpenDir(path)
		if err != nil {
			s.fail(shortPath(err))
			return
		}
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

func (s *scan) fail(err error) {
	complain(err)
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
	if _, err := os.Stdout.Write(text); err != nil {
		s.fail(err)
	}
}
