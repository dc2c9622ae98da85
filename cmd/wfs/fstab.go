package main

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// ignored are options of mount(8) and systemd.mount(5) that are not for us.
var ignored = map[string]bool{
	"ro": true, "defaults": true, "nofail": true, "auto": true, "noauto": true, "_netdev": true, "user": true, "nouser": true,
	"users": true, "owner": true, "group": true, "nodev": true, "nosuid": true, "noexec": true, "noatime": true,
	"nodiratime": true, "relatime": true, "async": true, "exec": true, "default_permissions": true, "dev": true, "suid": true,
}

// applyOptions reads a list of options as fstab has it: "allow_other,uid=1000,layout=hf".
// A backslash keeps a comma inside a value.
func (o *MountOptions) applyOptions(list string) error {
	for _, option := range splitOptions(list) {
		name, value, hasValue := strings.Cut(option, "=")
		switch {
		case option == "" || ignored[name] || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "comment"):
			continue
		case name == "rw":
			// mount(8) says rw where nothing says ro, also for "defaults".
			return usagef("the option rw cannot be had: a mount of weights is read-only, write ro")
		}
		name = strings.ReplaceAll(name, "_", "-")
		if set, ok := o.switches()[name]; ok && !hasValue {
			*set = true
			continue
		}
		if text, ok := o.texts()[name]; ok {
			if value == "" {
				return usagef("mount option %q lacks its value", name)
			}
			*text = value
			continue
		}
		number, ok := map[string]*int{"uid": &o.UID, "gid": &o.GID}[name]
		if !ok {
			return usagef("unknown mount option %q", option)
		}
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return usagef("mount option %s takes a number, not %q", name, value)
		}
		*number = int(n)
	}
	return nil
}

// switches and texts are the options that are flags too, by name.
func (o *MountOptions) switches() map[string]*bool {
	return map[string]*bool{"allow-other": &o.AllowOther, "xattr": &o.XAttr, "refuse-unsafe": &o.RefuseUnsafe}
}

func (o *MountOptions) texts() map[string]*string {
	return map[string]*string{
		"umask": &o.Umask, "layout": &o.Layout, "root": &o.Root, "log-file": &o.LogFile, "log-level": &o.LogLevel,
	}
}

func splitOptions(list string) []string {
	var options []string
	var b strings.Builder
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && i+1 < len(list):
			i++
			b.WriteByte(list[i])
		case list[i] == ',':
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

// mountHelper is mount.wfs, as mount(8) calls it: SOURCE MOUNTPOINT [-sfnv] [-o OPTIONS].
func mountHelper(args []string) error {
	flags := pflag.NewFlagSet("mount.wfs", pflag.ContinueOnError)
	flags.Usage = func() {}
	opt := newMountOptions()
	flags.StringArrayVarP(&opt.Options, "option", "o", nil, "")
	flags.StringP("type", "t", "", "")
	flags.StringP("namespace", "N", "", "")
	fake := flags.BoolP("fake", "f", false, "")
	for _, ignore := range []string{"s", "n", "v"} {
		flags.BoolP("ignore-"+ignore, ignore, false, "")
	}
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	if flags.NArg() != 2 {
		return usagef("mount.wfs takes a SOURCE and a MOUNTPOINT")
	}
	if err := opt.Validate(); err != nil || *fake {
		return err
	}
	return mount(opt, flags.Arg(0), flags.Arg(1))
}
