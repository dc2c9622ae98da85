package main

// mountManual is what the manual page tells of mounts beside their commands.
const mountManual = `.SH MOUNTING FROM FSTAB
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
no_prefetch, log_file=, log_level= and those of views (view=, dtype=, rename= and others) are the flags of
.BR "wfs mount" .
`

// mountFiles is what mounts have of the system.
const mountFiles = `.SH ENVIRONMENT
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
`
