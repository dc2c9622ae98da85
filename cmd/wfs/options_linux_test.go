package main

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestFstab reads lists of options as fstab, mount(8) and systemd pass them.
func TestFstab(t *testing.T) {
	for list, change := range map[string]func(*MountOptions){
		"":  func(*MountOptions) {},
		",": func(*MountOptions) {},
		"ro,noexec,nosuid,nodev,nofail,_netdev,user,noauto,relatime,defaults":        func(*MountOptions) {},
		"ro,x-systemd.automount,x-systemd.requires-mounts-for=/a b,x-gvfs-hide,auto": func(*MountOptions) {},
		"allow_other,uid=1000,gid=100,umask=027": func(o *MountOptions) {
			o.AllowOther, o.UID, o.GID, o.Umask = true, 1000, 100, "027"
		},
		"root=model_state_dict,layout=hf": func(o *MountOptions) { o.Root, o.Layout = "model_state_dict", "hf" },
		`root=a\,b=c\\d,xattr`:            func(o *MountOptions) { o.Root, o.XAttr = `a,b=c\d`, true },
		`ro,root="a,b",xattr`:             func(o *MountOptions) { o.Root, o.XAttr = "a,b", true },
		`root=\"a\"`:                      func(o *MountOptions) { o.Root = `"a"` },
		"ro,noatime,sync,lazytime,nosymfollow,strictatime,silent,mand,iversion,comment=x,user=joe,X-mount.mkdir": func(*MountOptions) {},
		"refuse_unsafe,no_prefetch,log_file=/x,log-level=debug": func(o *MountOptions) {
			o.RefuseUnsafe, o.NoPrefetch, o.LogFile, o.LogLevel = true, true, "/x", "debug"
		},
		`rename=s/a/b/,"rename=s/b{1,2}/c/",dtype=bf16,keep=*norm*,dequantize,tied=drop`: func(o *MountOptions) {
			o.Rename, o.DType, o.Keep, o.Dequantize, o.Tied = []string{"s/a/b/", "s/b{1,2}/c/"}, "bf16", []string{"*norm*"}, ownDType, "drop"
		},
		"uid=1,uid=2": func(o *MountOptions) { o.UID = 2 },
	} {
		got, want := newMountOptions(), newMountOptions()
		change(want)
		got.Options, want.Options = []string{list}, []string{list}
		if err := got.Validate(); err != nil {
			t.Errorf("%q: %v", list, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", list, got, want)
		}
	}
	for list, words := range map[string]string{
		"rw": "read-only", "ro,rw": "read-only", "remount": `"remount"`, "bogus": `"bogus"`, "ro,bogus=3": `"bogus=3"`, "uid=": "uid", "uid": "uid",
		"uid=nobody": `"uid=nobody"`, "uid=-1": `"uid=-1"`, "gid=4294967296": "gid", "layout=": `"layout"`, "layout": `"layout"`,
		"layout=all": `"all"`, "umask=8": `"8"`, "umask=1000": `"1000"`, "log_level=loud": `"loud"`, "allow_other=yes": "allow_other=yes",
		"foreground": `"foreground"`, "o": `"o"`,
	} {
		o := newMountOptions()
		o.Options = []string{list}
		err := o.Validate()
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want a usage error that says %s", list, err, words)
		}
	}
}

func TestFlags(t *testing.T) {
	for line, ok := range map[string]bool{
		"":                                true,
		"-f --layout tensors --umask 077": true,
		"--uid 5 --gid 6 -o ro -o uid=7":  true,
		"--log-level warn --log-file /x -o x-a,x-b=c": true,
		"--layout some":      false,
		"--uid -1":           false,
		"--uid 4294967296":   false,
		"--umask 999":        false,
		"--log-level chatty": false,
		"-o rw":              false,
	} {
		o := newMountOptions()
		flags := pflag.NewFlagSet("mount", pflag.ContinueOnError)
		o.AddFlags(flags)
		err := flags.Parse(strings.Fields(line))
		if err == nil {
			err = o.Validate()
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestMountHelper calls wfs as mount(8) does, where it ends before it touches anything.
func TestMountHelper(t *testing.T) {
	for _, c := range []struct {
		code int
		argv string
	}{
		{0, "mount.wfs a b -sfnv -o ro,nofail"}, {0, "mount.wfs a b -f -t wfs -o ro"}, {0, "/sbin/mount.fuse.wfs a b -f"},
		{0, "mount.wfs a b -sf -o ro,bogus"}, {2, "mount.wfs a b -f -o ro,bogus"}, {2, "/sbin/mount.wfs a b -o rw"},
		{2, "mount.wfs a b -sf -o rw"}, {2, "mount.wfs a"}, {2, "mount.wfs a b c"}, {2, "mount.wfs a b -z"},
		{1, "mount.wfs /nonexistent /nonexistent/too -o ro"},
	} {
		if code := run(strings.Fields(c.argv), io.Discard, io.Discard); code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.argv, code, c.code)
		}
	}
}

// TestFromMountFuse tells the command line of mount.fuse from those of commands.
func TestFromMountFuse(t *testing.T) {
	root := newRoot(&app{})
	for line, want := range map[string]bool{
		"/a.pt /mnt -o ro,dev,suid": true, "a.pt mnt -o ro": true,
		"mount /a.pt -o ro": false, "umount /mnt -o ro": false, "unmount /mnt -o ro": false, "ls /a.pt -o ro": false,
		"__complete mount -o ro": false, "__completeNoDesc mount -o ro": false, "help mount -o ro": false,
		"/a.pt /mnt": false, "/a.pt /mnt -f -o": false, "-f /mnt -o ro": false, "/a.pt /mnt -o ro more": false,
	} {
		if got := fromMountFuse(root, strings.Split(line, " ")); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
