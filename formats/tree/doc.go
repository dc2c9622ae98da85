// Package tree turns a view.Plan into the tree of files that a user sees: names, sizes,
// inode numbers and contents. It knows nothing of FUSE. Package fs serves a Tree as it is,
// and as an io/fs.FS it gives any Go program the same files without a mount.
//
// # How a byte travels
//
// Build (build.go) goes over the plan once. It gives every tensor its names: flat in
// tensors/, raw/ and f32/, split into directories in tree/ (names.go codes what cannot be
// a file name), and it gives tied tensors one inode. Inode numbers follow the order of the
// source, so they are the same after a remount. Build reads nothing, and a file has no
// bytes yet, only a content (content.go): enough to tell its size.
//
// When a file is opened, its content becomes a segment.Data:
//
//   - a tensor: the header of a .npy and the tensor's own Data, or that Data alone, or its
//     elements widened to float32;
//   - a file of a view: the header that safetensors.Layout writes, then the Data of all its
//     tensors, one after the other;
//   - a file that is passed through: the source itself, for which the kernel may read the
//     file without asking;
//   - a file of meta/ (meta.go, viewindex.go): text that is written at that moment. Its
//     size is counted by writing it to nowhere when it is first asked for;
//   - meta/SHA256SUMS (sums.go), whose size is known and whose bytes are computed by the
//     first read of it, and kept.
//
// A read then goes from that Data down to the source. Package fs, and the io/fs.FS of this
// package (fs.go), verify the source after each read, so that no bytes are handed out that
// were read while it changed.
package tree
