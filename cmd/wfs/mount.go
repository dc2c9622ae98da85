package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/formats/view"
	"wfs/fs"
)

var mountCommand = command{
	name: "mount", args: "[flags] SOURCE MOUNTPOINT", summary: "show a weight file or model directory as files",
	help: `
SOURCE is a file that torch, safetensors or Keras wrote, or a Hugging Face directory.
MOUNTPOINT is an empty directory; it is made when it is missing. The command returns
when the mount answers, and leaves a daemon behind that serves it until wfs umount.

  wfs mount model.pt /mnt/model
  python -c 'import numpy; print(numpy.load("/mnt/model/tensors/fc.weight.npy"))'
  wfs mount --layout hf ~/models/bert /mnt/bert       # for from_pretrained("/mnt/bert")
  wfs mount --root ema_model checkpoint.pt /mnt/ema   # another state dict for the view
  wfs mount -f model.pt /mnt/model                    # stay in the foreground

exit codes: 0 mounted, 1 failure, 2 wrong usage`,
	new: func(flags *pflag.FlagSet) func([]string) error {
		opt := newMountOptions()
		opt.AddFlags(flags)
		return func(args []string) error {
			if len(args) != 2 {
				return usagef("mount takes a SOURCE and a MOUNTPOINT")
			}
			if err := opt.Validate(); err != nil {
				return err
			}
			return mount(opt, args[0], args[1])
		}
	},
}

// MountOptions are the flags of wfs mount.
type MountOptions struct {
	Foreground   bool
	Layout       string
	Root         string
	RefuseUnsafe bool
	AllowOther   bool
	UID, GID     int
	Umask        string
	XAttr        bool
	LogFile      string
	LogLevel     string
	Debug        bool
	Options      []string // -o
}

func newMountOptions() *MountOptions {
	return &MountOptions{Layout: view.Full, UID: os.Getuid(), GID: os.Getgid(), Umask: "0", LogLevel: "info"}
}

// AddFlags registers the flags.
func (o *MountOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVarP(&o.Foreground, "foreground", "f", false, "stay in the foreground and log to stderr")
	flags.StringVar(&o.Layout, "layout", o.Layout, "full, hf (the root only, for serving) or tensors (single tensors only)")
	flags.StringVar(&o.Root, "root", "", "key of the state dict that the view takes; . takes everything")
	flags.BoolVar(&o.RefuseUnsafe, "refuse-unsafe", false, "refuse files whose pickles name what wfs scan calls dangerous")
	flags.BoolVar(&o.AllowOther, "allow-other", false, "let other users read the mount")
	flags.IntVar(&o.UID, "uid", o.UID, "owner of the files")
	flags.IntVar(&o.GID, "gid", o.GID, "group of the files")
	flags.StringVar(&o.Umask, "umask", o.Umask, "permissions to take away, in octal")
	flags.BoolVar(&o.XAttr, "xattr", false, "show key, dtype and shape as extended attributes (slows ls -l down)")
	flags.StringVar(&o.LogFile, "log-file", "", "log to this file (default: syslog, or stderr in the foreground)")
	flags.StringVar(&o.LogLevel, "log-level", o.LogLevel, "error, warn, info or debug")
	flags.BoolVar(&o.Debug, "debug-fuse", false, "log every request at level debug")
	flags.StringArrayVarP(&o.Options, "option", "o", nil, "mount options as in fstab, separated by commas")
}

// Validate checks the flags and touches nothing.
func (o *MountOptions) Validate() error {
	for _, list := range o.Options {
		if err := o.applyOptions(list); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{view.Full, view.HF, view.Tensors}, o.Layout) {
		return usagef("--layout is full, hf or tensors, not %q", o.Layout)
	}
	if _, err := o.umask(); err != nil {
		return err
	}
	if o.UID < 0 || o.GID < 0 {
		return usagef("--uid and --gid are not negative")
	}
	_, err := o.level()
	return err
}

// mount checks what can be checked at once, then serves the mount here or in a daemon.
func mount(opt *MountOptions, source, mountpoint string) error {
	if isDaemon() {
		return serveDaemon(opt, source, mountpoint)
	}
	made, err := prepareMountpoint(source, mountpoint)
	if err != nil {
		return err
	}
	if opt.Foreground {
		err = serve(opt, source, mountpoint, func(notes []string) { printNotes(notes) })
	} else {
		err = startDaemon()
	}
	if err != nil {
		removeAll(made)
	}
	return err
}

func printNotes(notes []string) {
	for _, n := range notes {
		fmt.Fprintf(os.Stderr, "wfs: note: %s\n", oneLine(n))
	}
}

// serve mounts and stays until the mount has ended. ready is called when the root
// answers.
func serve(opt *MountOptions, source, mountpoint string, ready func(notes []string)) error {
	log, err := opt.logger()
	if err != nil {
		return err
	}
	raiseFileLimit()
	model, err := formats.Open(source, formats.Options{Root: opt.Root})
	if err != nil {
		return err
	}
	defer model.Close()
	if opt.RefuseUnsafe {
		if err := refuseUnsafe(model); err != nil {
			return err
		}
	}
	tree, err := view.Build(model, view.Options{Layout: opt.Layout})
	if err != nil {
		return err
	}
	collectTight()
	// The kernel lists mounts by their real path, and so does wfs status.
	at := realPath(mountpoint)
	umask, err := opt.umask()
	if err != nil {
		return err
	}
	// Before there is a mount: a signal that came right behind it would leave it dead.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	server, err := fs.Mount(tree, at, fs.Options{
		Source: absolutePath(source), UID: uint32(opt.UID), GID: uint32(opt.GID), Umask: umask,
		AllowOther: opt.AllowOther, XAttr: opt.XAttr, Debug: opt.Debug, Log: log,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", mountpoint, err)
	}
	control := listenControl(log, controlDirs(os.Geteuid()), statusOf(server, absolutePath(source), at))
	defer control.Close()
	log.Info("mounted", "source", source, "mountpoint", at, "tensors", tensorCount(model), "files", len(tree.Nodes))
	ready(slices.Concat(allNotes(model), tree.Notes))
	notify("READY=1")
	wait(server, signals, log)
	notify("STOPPING=1")
	log.Info("unmounted", "mountpoint", at)
	return nil
}

func absolutePath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func refuseUnsafe(model *checkpoint.Model) error {
	for _, set := range model.Sets {
		for _, s := range set.Shards {
			if s.Pickles == nil {
				continue
			}
			report, err := s.Pickles()
			if err != nil {
				return fmt.Errorf("%s: %w", s.Source.Path, err)
			}
			if reason := report.Dangerous(); reason != "" {
				return fmt.Errorf("%s: refused by --refuse-unsafe: %s", s.Source.Path, reason)
			}
		}
	}
	return nil
}

func tensorCount(model *checkpoint.Model) int {
	n := 0
	for _, set := range model.Sets {
		for _, s := range set.Shards {
			n += len(s.Tensors)
		}
	}
	return n
}

// allNotes is the remarks of all files, each once.
func allNotes(model *checkpoint.Model) []string {
	notes := slices.Clone(model.Notes)
	for _, set := range model.Sets {
		for _, s := range set.Shards {
			for _, n := range s.Notes {
				if n = s.Source.Name() + ": " + n; !slices.Contains(notes, n) {
					notes = append(notes, n)
				}
			}
		}
	}
	return notes
}

func (o *MountOptions) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(o.LogLevel))); err != nil {
		return level, usagef("--log-level is error, warn, info or debug, not %q", o.LogLevel)
	}
	return level, nil
}
