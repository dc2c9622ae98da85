package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(a *app, commands func() []*cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:               "man",
		SuggestFor:        []string{"manual", "doc", "docs"},
		Short:             "print the manual page",
		Long:              "The page is made of the help of all commands.",
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: cobra.NoFileCompletions,
		Args:              noArgs,
		Example: `
  wfs man > /usr/local/share/man/man1/wfs.1
  wfs man | man -l -`,
		RunE: func(*cobra.Command, []string) error {
			writeManual(a.stdout, commands())
			return nil
		},
	}
}

// The page is written here and not by cobra/doc, which makes a page of each command by way
// of Markdown: it adds three modules, has no place for what follows the commands, and leaves
// the hyphens and quotes of examples to groff, some versions of which print typographic ones
// that cannot be pasted into a shell.

// roff escapes text for groff_man(7): no character is a command, and a hyphen is the
// one that a user can paste into a shell.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func writeManual(w io.Writer, commands []*cobra.Command) {
	fmt.Fprintf(w, ".TH WFS 1 \"\" \"wfs %s\" \"User Commands\"\n", roff(version))
	fmt.Fprint(w, ".SH NAME\nwfs \\- show the weights of a model as files\n.SH SYNOPSIS\n.nf\n")
	for _, c := range commands {
		name, args, _ := strings.Cut(c.Use, " ")
		fmt.Fprintf(w, "\\fBwfs %s\\fP %s\n", name, roff(args))
	}
	fmt.Fprint(w, ".fi\n.SH COMMANDS\n")
	for _, c := range commands {
		manualCommand(w, c)
	}
	fmt.Fprint(w, `.SH MOUNTING FROM FSTAB
With a link to wfs at /sbin/mount.wfs, mount(8) and systemd mount units know the type
wfs, and with another at /sbin/mount.fuse.wfs, or with mount.fuse of fuse3, also
fuse.wfs, as /proc/mounts has it. The option ro is needed, because mount(8) passes rw
without it.
.PP
.nf
/models/bert  /mnt/bert  wfs  ro,nofail,allow_other,layout=hf  0  0
.fi
.PP
The options allow_other, uid=, gid=, umask=, layout=, root=, xattr, refuse_unsafe,
no_prefetch, log_file= and log_level= are the flags of
.BR "wfs mount" .
.SH EXIT STATUS
0 success, 1 failure, 2 wrong usage. For wfs scan: 0 clean, 2 something unknown,
3 something dangerous, 1 failure.
.SH ENVIRONMENT
NOTIFY_SOCKET is where systemd is told that a mount is ready, and that it ends (sd_notify).
.SH FILES
.TP
.I /dev/fuse
The device of FUSE. A container needs it, and the capability CAP_SYS_ADMIN.
.TP
.I /etc/fuse.conf
A line user_allow_other lets others than root use \-\-allow\-other.
.TP
.I /run/wfs /run/user/UID/wfs /tmp/wfs\-UID
Sockets on which daemons answer wfs status.
.SH SEE ALSO
.BR fusermount3 (1),
.BR fstab (5),
.BR systemd.mount (5),
.BR mount (8),
.BR umount (8)
`)
}

func manualCommand(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, ".SS %s\n%s.\n", roff(usageLine(c)), roff(c.Short))
	for _, paragraph := range strings.Split(strings.Trim(c.Long, "\n"), "\n\n") {
		if paragraph != "" {
			fmt.Fprintf(w, ".PP\n%s\n", roff(paragraph))
		}
	}
	fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(strings.Trim(c.Example, "\n")))
	fmt.Fprintf(w, ".PP\nexit codes: %s\n", roff(c.Annotations[exitCodesKey]))
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			name += " " + kind
		}
		if f.Value.Type() == "string" && f.DefValue != "" { // a default that is the user's own is not for a manual
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
	})
}
