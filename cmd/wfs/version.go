package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the Makefile.
var version = "dev"

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		SuggestFor:        []string{"ver", "about"},
		Short:             "print the version of wfs, go-fuse and Go",
		Example:           "  wfs version",
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: cobra.NoFileCompletions,
		Args:              noArgs,
		RunE:              func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	goFuse := "" // is linked where there are mounts
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/hanwen/go-fuse/v2" {
				goFuse = "go-fuse " + dep.Version + "; "
			}
		}
	}
	_, err := fmt.Fprintf(a.stdout, "wfs %s; %s%s %s/%s\n", version, goFuse, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
