// Package torch reads what torch.save and torch.jit.save wrote: zip files, the
// stacked pickles of torch before 1.6, the tar files before that, and plain pickles
// of tensors. The pickle is read as data by formats/pickle; the functions and
// classes that it names are recognised by their names and never called.
//
// # How a byte travels
//
// Open finds the container by the first bytes of the file (open.go) and loads its
// pickles. Each container has its own way from a persistent id, which is what a
// pickle has in place of a storage, to the storage's bytes:
//
//   - In a zip (zip.go) data.pkl is a record, and the storage with the key 7 is the
//     record data/7. A stored record is a range of the file; a deflated one is
//     inflated while it is read. Of a directory of shards several are opened at once
//     (turn.go). TorchScript has a second pickle, constants.pkl,
//     with records of its own.
//   - In a legacy file (legacy.go) five pickles follow one another: a magic number,
//     a version, the system, the object, and the list of the storages' keys. The
//     storages come after them, in that order, each after its length. Only the
//     lengths are read.
//   - In a tar (tar.go) the members storages and tensors are tables, and the
//     persistent ids of the member pickle are their keys.
//   - A plain pickle has no storages. Each of its tensors brings a whole legacy file
//     in bytes (subclass.go, fromBytes), which is read in the same way once more.
//
// What the pickle holds is then a tree of values: dicts, lists, numbers, and
// Objects, which are calls that nobody made. Most calls are tensors with the arguments
// that torch writes today. These are read as soon as the pickle has them, and a few words
// stand in their place (rebuilt.go): whole calls would take ten times the memory. A resolver (rebuild.go) says of an
// Object whether it is a tensor. It knows the functions of torch/_utils.py by name
// and reads their arguments: a storage, an offset, a size and strides make an array
// (array.go); quantized, sparse and nested tensors have several of them (parts.go),
// and so do the subclasses of Tensor (subclass.go, sharded.go). NumPy's arrays count,
// too (numpy.go).
//
// A collector (walk.go) goes down the tree and lists the tensors by the path that
// leads to them. It follows whatever an Object may hold (members.go): the arguments
// of its call, its entries, and its state, be that a dict, a tuple or a tensor. An
// Object with the attributes of an nn.Module is one (module.go, module_quantized.go),
// and its tensors have the keys that state_dict() gives them. Tensors that are in the
// module and not in its state dict are listed as hidden.
//
// Each array becomes a segment.Data: a range of the storage where its elements lie in
// C order, a segment.Strided where they do not, with a segment.Elementwise on top for
// a storage of the other byte order, for the conj and neg bits, and for a dtype that
// torch converts to (convert.go). Nothing of it is read before somebody reads the
// tensor.
//
// What is not a tensor goes to meta/objects.json (objects.go). The keys that may be
// the root of a view are found in root.go; which of them is taken is decided by
// package view.
//
// # What a file cannot do
//
// A storage has the bytes that its record has, whatever the pickle claims, and an
// array that reaches past them makes the file damaged. The walk is bounded in values,
// in bytes of keys, in tensors and in depth; what it has searched in vain it does not
// search again. Files in files are opened up to a depth.
//
// Nothing vanishes: at the end a census (census.go) compares the storages that the
// file has with those that listed tensors are made of, and says how many are left.
package torch
