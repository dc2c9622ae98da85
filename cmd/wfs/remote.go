package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/quantity"
	"wfs/formats/source/blocks"
)

// RemoteOptions are the flags that say how sources are read that are not on this machine.
type RemoteOptions struct {
	CacheDir, CacheSize string
	Timeout             time.Duration
	warn                func(error) // nil for stderr
	opened              *formats.Sources
}

// AddFlags registers the flags. What is set already is their default.
func (o *RemoteOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.CacheDir, "cache-dir", o.CacheDir, "`directory` for what is read of https:// and hf:// (default: wfs in the user's cache)")
	flags.StringVar(&o.CacheSize, "cache-size", o.CacheSize, "the most that it holds: `size` as 10GiB (the default), 0 for no cache on the disk")
	flags.DurationVar(&o.Timeout, "timeout", o.Timeout, "`time` that a read of https:// or hf:// waits while nothing comes (default 1m)")
}

// Validate checks the flags.
func (o *RemoteOptions) Validate() error {
	if _, err := o.cacheSize(); err != nil {
		return usagef("--cache-size: %v", err)
	}
	if o.Timeout != 0 && o.Timeout < time.Second {
		return usagef("--timeout is a time of 1s at least, not %v", o.Timeout)
	}
	return nil
}

func (o *RemoteOptions) cacheSize() (int64, error) {
	if o.CacheSize == "" {
		return blocks.DefaultDisk, nil
	}
	return quantity.ParseBytes(o.CacheSize)
}

// sources opens what the user names.
func (o *RemoteOptions) sources() *formats.Sources {
	if o.opened == nil {
		dir := o.CacheDir
		if dir != "" {
			dir = absolutePath(dir) // a daemon goes elsewhere
		}
		size, _ := o.cacheSize() // Validate has seen it
		o.opened = formats.NewSources(formats.SourceOptions{
			CacheDir: dir, CacheSize: size, Timeout: o.Timeout, Agent: "wfs/" + version, Warn: o.cacheFailed,
		})
	}
	return o.opened
}

// cacheFailed tells the user, or the log of a mount.
func (o *RemoteOptions) cacheFailed(err error) {
	if o.warn != nil {
		o.warn(err)
		return
	}
	fmt.Fprintf(os.Stderr, "wfs: note: no more is kept in the cache on the disk: %s\n", oneLine(err.Error()))
}

// patience is how long a request of a mount may wait for a source: longer than that gives up by
// itself, and says why.
func (o *RemoteOptions) patience(source string) time.Duration {
	if !formats.IsRemote(source) {
		return 0
	}
	return blocks.WithTimeout(o.Timeout).Timeout + 10*time.Second
}
