package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/diff"
	"wfs/formats/tree"
	"wfs/fs"
)

// logLevels are the words that --log-level takes.
var logLevels = []string{"error", "warn", "info", "debug"}

// MountOptions are the flags of wfs mount.
type MountOptions struct {
	ViewOptions
	Diff         bool
	other        string // B of --diff
	Foreground   bool
	Layout       string
	RefuseUnsafe bool
	AllowOther   bool
	UID, GID     uint32
	Umask        string
	XAttr        bool
	NoPrefetch   bool
	LogFile      string
	LogLevel     string
	Debug        bool
	Options      []string // -o
	sloppy       bool     // mount.wfs -s: options that are unknown are no error
}

func newMountOptions() *MountOptions {
	return &MountOptions{Layout: tree.Full, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Umask: "0", LogLevel: "info"}
}

// AddFlags registers the flags. What is set already is their default.
func (o *MountOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVarP(&o.Foreground, "foreground", "f", o.Foreground, "stay in the foreground and log to stderr")
	flags.StringVar(&o.Layout, "layout", o.Layout, "full, hf (the root only, for serving) or tensors (single tensors only)")
	o.ViewOptions.AddFlags(flags)
	flags.BoolVar(&o.Diff, "diff", o.Diff, "mount what differs between two sources: wfs mount --diff A B MOUNTPOINT")
	flags.BoolVar(&o.RefuseUnsafe, "refuse-unsafe", o.RefuseUnsafe, "refuse files whose pickles name what wfs scan calls dangerous")
	flags.BoolVar(&o.AllowOther, "allow-other", o.AllowOther, "let other users read the mount")
	flags.Uint32Var(&o.UID, "uid", o.UID, "numeric `id` of the owner of the files")
	flags.Uint32Var(&o.GID, "gid", o.GID, "numeric `id` of the group of the files")
	flags.StringVar(&o.Umask, "umask", o.Umask, "permissions to take away, an `octal` number")
	flags.BoolVar(&o.XAttr, "xattr", o.XAttr, "show key, dtype and shape as extended attributes (slows ls -l down)")
	flags.BoolVar(&o.NoPrefetch, "no-prefetch", o.NoPrefetch, "leave reading ahead to the kernel, which knows no tensors")
	flags.StringVar(&o.LogFile, "log-file", o.LogFile, "log to this `file` (default: syslog, or stderr in the foreground)")
	flags.StringVar(&o.LogLevel, "log-level", o.LogLevel, "error, warn, info or debug")
	flags.BoolVar(&o.Debug, "debug-fuse", o.Debug, "log every request at level debug")
	flags.StringArrayVarP(&o.Options, "option", "o", o.Options, "mount `options` as in fstab, separated by commas")
}

// Validate checks the flags and touches nothing.
func (o *MountOptions) Validate() error {
	for _, list := range o.Options {
		if err := o.applyOptions(list); err != nil {
			return err
		}
	}
	if err := checkLayout(o.Layout); err != nil {
		return err
	}
	if _, err := o.umask(); err != nil {
		return err
	}
	if _, err := o.level(); err != nil {
		return err
	}
	if o.Diff && o.Layout != tree.Full {
		return usagef("--diff has a layout of its own: it goes without --layout")
	}
	return o.ViewOptions.Validate()
}

func newMount(a *app) *cobra.Command {
	opt := newMountOptions()
	cmd := &cobra.Command{
		Use:        "mount [flags] SOURCE MOUNTPOINT",
		SuggestFor: []string{"mnt", "open", "attach"},
		Short:      "show a weight file or model directory as files",
		Long: `
SOURCE is a file that torch, safetensors or Keras wrote, or a Hugging Face directory, here or at
https://HOST/PATH or hf://ORG/NAME[@REVISION][/FILE] (HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE and
HF_HUB_OFFLINE are obeyed). What is read from afar is kept in --cache-dir.
MOUNTPOINT is an empty directory; it is made when it is missing. The command returns
when the mount answers, and leaves a daemon that serves it until wfs umount,
or SIGTERM, SIGINT or SIGHUP. By a signal, a mount whose files are open is detached, and
the daemon ends with the last of them, or with a second signal.

With --diff there are two sources, A and B. a/ and b/ hold, as .npy, the tensors that are not
known to be identical: a mount reads no values, so that all of equal dtype and shape are
there, but for those of one file. delta/ holds b - a, computed while it is read: in float32,
or float64 where a side is; of whole numbers in the smallest signed integer that holds every
difference (of 64 bits modulo 2^64). summary.txt and summary.json say what differs, and
compare all values when one of them is read.

A mount is read-only. Programs that write beside the weights get an overlay above it, as in
the last example: what they write goes to the directory upper, which with work is on one
file system that is local and not an overlay itself.`,
		Example: `
  wfs mount model.pt /mnt/model
  python -c 'import numpy; print(numpy.load("/mnt/model/tensors/fc.weight.npy"))'
  wfs mount --layout hf ~/models/bert /mnt/bert       # for from_pretrained("/mnt/bert")
  wfs mount --root ema_model checkpoint.pt /mnt/ema   # another state dict for the view
  wfs mount -f model.pt /mnt/model                    # stay in the foreground
  wfs mount --diff base.pt tuned.safetensors /mnt/diff

  mkdir -p /srv/upper /srv/work /mnt/writable
  mount -t overlay overlay -o lowerdir=/mnt/model,upperdir=/srv/upper,workdir=/srv/work /mnt/writable`,
		Annotations:       exitCodes("0 mounted, 1 failure, 2 wrong usage"),
		ValidArgsFunction: completeArgs(cobra.ShellCompDirectiveDefault, cobra.ShellCompDirectiveFilterDirs),
		Args: func(_ *cobra.Command, args []string) error {
			if opt.Diff {
				if len(args) != 3 || args[1] == "" {
					return usagef("mount --diff takes two sources, A and B, and a MOUNTPOINT")
				}
				opt.other, args = args[1], []string{args[0], args[2]}
			}
			if err := twoPaths("mount", args); err != nil {
				return err
			}
			return opt.Validate()
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.mount(opt, args[0], args[len(args)-1]) },
	}
	opt.AddFlags(cmd.Flags())
	completeFlag(cmd, "layout", cobra.FixedCompletions(layouts, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "log-level", cobra.FixedCompletions(logLevels, cobra.ShellCompDirectiveNoFileComp))
	opt.completeFlags(cmd)
	completeFlag(cmd, "option", completeOption)
	for _, number := range []string{"uid", "gid", "umask"} {
		completeFlag(cmd, number, cobra.NoFileCompletions)
	}
	return cmd
}

// twoPaths checks that there are two arguments, and that neither is empty: an empty
// path would be the working directory.
func twoPaths(name string, args []string) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return usagef("%s takes a SOURCE and a MOUNTPOINT", name)
	}
	return nil
}

// mount checks what can be checked at once, then serves the mount here or in a daemon.
func (a *app) mount(opt *MountOptions, source, mountpoint string) error {
	if isDaemon() {
		return a.serveDaemon(opt, source, mountpoint)
	}
	if opt.Diff {
		if err := checkSource(opt.other); err != nil {
			return err
		}
		if err := overlap(opt.other, mountpoint); err != nil {
			return err
		}
	}
	made, err := prepareMountpoint(source, mountpoint)
	if err != nil {
		return err
	}
	dir, err := claim(source, mountpoint) // where that fails, what was made serves another
	if err != nil {
		return err
	}
	defer dir.Close()
	if opt.Foreground {
		err = a.serve(opt, nameOf(source), dir, func(notes []string) error {
			a.printNotes(notes)
			return nil
		})
	} else {
		err = a.startDaemon(source, dir)
	}
	if err != nil {
		removeAll(made)
	}
	return err
}

// serve mounts on dir, which is open and locked, and stays until the mount has ended. ready
// is called when the root answers; where it fails nobody knows of the mount, and it is
// taken down.
func (a *app) serve(opt *MountOptions, source string, dir *os.File, ready func(notes []string) error) error {
	log, err := opt.logger(a.stderr)
	if err != nil {
		return err
	}
	shown := formats.Shown(absolutePath(source))
	opt.warn = func(err error) { log.Warn("no more is kept in the cache on the disk", "error", err) }
	files, notes, closeAll, err := opt.build(source)
	if err != nil {
		return err
	}
	defer closeAll()
	collectTight()
	at := locate(dir, dir.Name())
	umask, err := opt.umask()
	if err != nil {
		return err
	}
	// Before there is a mount: a signal that came right after it would leave it dead.
	signals := endings()
	server, err := fs.Mount(files, at, fs.Options{
		Source: shown, UID: opt.UID, GID: opt.GID, Umask: umask,
		AllowOther: opt.AllowOther, Directory: dir, Patience: opt.patience(source), XAttr: opt.XAttr, NoPrefetch: opt.NoPrefetch, Debug: opt.Debug, Log: log,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", dir.Name(), err)
	}
	dir.Close() // and with it the lock: the mountpoint is seen to be taken
	mounted, _ := mountAt(at)
	control := listenControl(log, controlDirs(os.Geteuid()), statusOf(server, shown, at, mounted.device))
	defer control.Close()
	log.Info("mounted", "source", shown, "mountpoint", at, "files", len(files.Nodes))
	if err := ready(slices.Concat(notes, files.Notes)); err != nil {
		log.Error("unmounting: the command that started this daemon is gone", "error", err)
		return errors.Join(err, server.Unmount(true))
	}
	notify("READY=1")
	wait(server, mounted, signals, log)
	log.Info("unmounted", "mountpoint", at)
	return nil
}

// build opens what is mounted, and makes the tree. Who gets it calls closeAll at its end.
func (o *MountOptions) build(source string) (files *tree.Tree, notes []string, closeAll func(), err error) {
	if o.Diff {
		return o.buildDiff(source)
	}
	plan, err := o.open(source)
	if err != nil {
		return nil, nil, nil, err
	}
	if o.RefuseUnsafe {
		err = refuseUnsafe(plan.Opened())
	}
	if err == nil {
		files, err = tree.Build(plan, tree.Options{Layout: o.Layout})
	}
	if err != nil {
		plan.Close()
		return nil, nil, nil, err
	}
	return files, plan.Notes(), func() { plan.Close() }, nil
}

// buildDiff is build for what differs between two sources.
func (o *MountOptions) buildDiff(source string) (files *tree.Tree, notes []string, closeAll func(), err error) {
	plans, err := (&SideOptions{ViewOptions: o.ViewOptions}).open(source, o.other)
	if err != nil {
		return nil, nil, nil, err
	}
	closeAll = func() { plans[0].Close(); plans[1].Close() }
	for _, p := range plans {
		if o.RefuseUnsafe && err == nil {
			err = refuseUnsafe(p.Opened())
		}
	}
	if err == nil {
		var c *diff.Comparison
		if c, err = compared(plans, nil, diff.Options{}); err == nil {
			files, err = tree.BuildDiff(c, plans[0].Model, plans[1].Model)
		}
	}
	if err != nil {
		closeAll()
		return nil, nil, nil, err
	}
	return files, mergedNotes(plans), closeAll, nil
}

func (o *MountOptions) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(o.LogLevel))); err != nil {
		return level, usagef("--log-level is error, warn, info or debug, not %q", o.LogLevel)
	}
	return level, nil
}
