package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/pickle"
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

exit codes: 0 clean, 2 something unknown, 3 something dangerous, 1 failure`,
	new: func(flags *pflag.FlagSet) func([]string) error {
		asJSON := flags.Bool("json", false, "print one JSON object for each file")
		return func(args []string) error {
			if len(args) == 0 {
				return usagef("scan takes a FILE or a DIR")
			}
			worst := pickle.Allowed
			for _, path := range args {
				v, err := scanPath(path, *asJSON)
				if err != nil {
					return err
				}
				worst = max(worst, v)
			}
			switch worst {
			case pickle.Dangerous:
				return exitError(exitDangerous)
			case pickle.Unknown:
				return exitError(exitUsage)
			}
			return nil
		}
	},
}

// scanPath scans a file, or every file below a directory.
func scanPath(path string, asJSON bool) (worst pickle.Verdict, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return worst, shortPath(err)
	}
	if !info.IsDir() {
		return scanFile(path, asJSON)
	}
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return shortPath(err)
		}
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			return nil
		}
		v, err := scanFile(file, asJSON)
		worst = max(worst, v)
		return err
	})
	return worst, err
}

func scanFile(path string, asJSON bool) (pickle.Verdict, error) {
	report, err := formats.Scan(path)
	if err != nil {
		return 0, err
	}
	if asJSON {
		b, err := report.JSON()
		if err != nil {
			return 0, err
		}
		_, err = os.Stdout.Write(b)
		return report.Verdict, err
	}
	fmt.Printf("%s: %s\n", visible(path), report.Verdict)
	fmt.Print("  ", strings.ReplaceAll(strings.TrimSuffix(report.Text(), "\n"), "\n", "\n  "), "\n")
	return report.Verdict, nil
}
