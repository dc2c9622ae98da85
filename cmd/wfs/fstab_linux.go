package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ignored are options of mount(8) and systemd.mount(5) that are not for us, or that
// change nothing on a mount that is read-only, nosuid and nodev and has no programs.
var ignored = []string{
	"ro", "defaults", "nofail", "auto", "noauto", "_netdev", "user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup",
	"dev", "nodev", "suid", "nosuid", "exec", "noexec", "async", "sync", "dirsync", "mand", "nomand", "silent", "loud", "nosymfollow",
	"atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime",
	"iversion", "noiversion", "comment", "default_permissions",
}

// optionFlags are the flags that are mount options too.
var optionFlags = []string{
	"allow-other", "uid", "gid", "umask", "layout", "root", "log-file", "log-level", "xattr", "refuse-unsafe", "no-prefetch",
	"cache-dir", "cache-size", "timeout",
	"view", "dequantize", "rename", "lora", "include", "exclude", "dtype", "keep", "overflow", "tied", "shard-size", "merge-shards",
}

// applyOptions reads a list of options as fstab has it: "allow_other,uid=1000,layout=hf".
func (o *MountOptions) applyOptions(list string) error {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.AddFlags(flags)
	for _, option := range splitOptions(list) {
		name, value, hasValue := strings.Cut(option, "=")
		switch {
		case option == "" || slices.Contains(ignored, name) || strings.HasPrefix(strings.ToLower(name), "x-"):
			continue
		case name == "rw":
			// mount(8) says rw where nothing says ro, also for "defaults".
			return usagef("the option rw cannot be had: a mount of weights is read-only, write ro")
		}
		name = strings.ReplaceAll(name, "_", "-")
		if !slices.Contains(optionFlags, name) {
			if o.sloppy {
				continue
			}
			return usagef("unknown mount option %q%s", option, didYouMean(similarOptions(name)))
		}
		flag := flags.Lookup(name)
		if !hasValue {
			value = flag.NoOptDefVal // of a switch: true
		}
		if value == "" {
			return usagef("mount option %q lacks its value", name)
		}
		set := flag.Value.Set
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			set = list.Append // Set would forget what flags gave
		}
		if set(value) != nil {
			return usagef("mount option %q: that is not a value for it", option)
		}
	}
	return nil
}

// similarOptions is the mount options that are spelled like name.
func similarOptions(name string) []string {
	similar := closest(name, optionFlags)
	for i, s := range similar {
		similar[i] = strings.ReplaceAll(s, "-", "_")
	}
	return similar
}

// splitOptions splits at commas. As for mount(8), double quotes keep a comma in a value,
// and so does a backslash.
func splitOptions(list string) []string {
	var options []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && i+1 < len(list):
			i++
			b.WriteByte(list[i])
		case list[i] == '"':
			quoted = !quoted
		case list[i] == ',' && !quoted:
			options = append(options, b.String())
			b.Reset()
		default:
			b.WriteByte(list[i])
		}
	}
	return append(options, b.String())
}

func (o *MountOptions) umask() (uint32, error) {
	n, err := strconv.ParseUint(o.Umask, 8, 32)
	if err != nil || n > 0o777 {
		return 0, usagef("--umask is an octal number, not %q", o.Umask)
	}
	return uint32(n), nil
}

// fromMountFuse reports whether wfs is called as mount.fuse(8) of fuse3 does for the type
// fuse.wfs where there is no mount.fuse.wfs: SOURCE MOUNTPOINT -o OPTIONS.
func fromMountFuse(root *cobra.Command, args []string) bool {
	if len(args) != 4 || args[2] != "-o" || args[0] == "help" || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "__") {
		return false // cobra has commands like __complete
	}
	return !slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool {
		return c.Name() == args[0] || slices.Contains(c.SuggestFor, args[0])
	})
}

// mountHelper is mount.wfs, as mount(8) calls it: SOURCE MOUNTPOINT [-sfnv] [-o OPTIONS].
func (a *app) mountHelper(args []string) error {
	flags := pflag.NewFlagSet("mount.wfs", pflag.ContinueOnError)
	flags.Usage = func() {}
	opt := newMountOptions()
	flags.StringArrayVarP(&opt.Options, "option", "o", nil, "")
	flags.StringP("type", "t", "", "")
	flags.StringP("namespace", "N", "", "")
	fake := flags.BoolP("fake", "f", false, "")
	flags.BoolVarP(&opt.sloppy, "sloppy", "s", false, "")
	for _, ignore := range []string{"n", "v"} {
		flags.BoolP("ignore-"+ignore, ignore, false, "")
	}
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	if err := twoPaths("mount.wfs", flags.Args()); err != nil {
		return err
	}
	if err := opt.Validate(); err != nil || *fake {
		return err
	}
	return a.mount(opt, flags.Arg(0), flags.Arg(1))
}
