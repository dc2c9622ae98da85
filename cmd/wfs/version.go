package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"
)

// version is set by the Makefile.
var version = "dev"

var versionCommand = command{
	name: "version", args: "", summary: "print the version of wfs, go-fuse and Go",
	help: `
  wfs version

exit codes: 0 success, 1 failure, 2 wrong usage`,
	new: func(*pflag.FlagSet) func([]string) error {
		return func(args []string) error {
			if len(args) > 0 {
				return usagef("version takes no arguments")
			}
			goFuse := "?"
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, dep := range info.Deps {
					if dep.Path == "github.com/hanwen/go-fuse/v2" {
						goFuse = dep.Version
					}
				}
			}
			_, err := fmt.Printf("wfs %s; go-fuse %s; %s %s/%s\n", version, goFuse, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		}
	},
}
