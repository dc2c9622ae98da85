// Package view plans what a view of a model shows.
//
// # How a byte travels
//
// A reader made a checkpoint.Model: every tensor of every file, and the facts about them.
// New takes it together with the user's Rules and makes a Plan (plan.go): for each file of
// the view its name, its entries (a tensor, and the key that the view gives it), and
// whether the source file may stand for it byte for byte. Which state dict of a nested
// checkpoint the view takes is decided in one place (root.go), along with the sentence
// that tells the user of it; readers only report which candidates a file has.
//
// A Plan is a value. It opens nothing and changes nothing: two plans of one model do not
// know of each other, and ls, the mount and every other way out go by the same Plan.
// Package tree gives it inode numbers and contents, and from there a read goes down
// through the entries to the source.
package view
