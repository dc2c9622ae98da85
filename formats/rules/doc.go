// Package rules is the language in which users say what a view of a model is: its keys, its
// tensors, and the files that they are in. It knows keys, shapes and numbers, and reads no
// weights.
//
// A file of rules is TOML (document.go, read.go); flags make the same File (ParseRename,
// File.With). Its parts are carried out in this order, whatever the order in the file:
//
//	root, dequantize    which tensors there are
//	[[rename]]          gives keys other names; every rule in turn goes over every key
//	[[tensor]]          makes tensors of tensors; a key goes to the first rule that matches it
//	[[lora]]            merges adapters into the whole view
//	[select]            leaves tensors out
//	[cast]              gives the rest another dtype
//	tied, [shards]      says what files there are
//
// Renames and tensor rules are carried out here (File.Apply), the rest by package view.
//
// # Patterns
//
// A pattern matches a whole key (pattern.go):
//
//	{x}       a run of bytes without a dot and without a slash
//	{x*}      any run of bytes
//	{x#}      digits
//	{a|b|c}   one of the words
//	{{ }}     a brace
//	/…/       a regular expression of RE2, whose groups are $1 or ${name}. A rename replaces its
//	          first match in a key, with /…/g each; a tensor rule has it match the whole key
//
// What select and cast have are globs, as package keys has them.
//
// # Tensor rules
//
// A placeholder of from and of to is a loop: the rule runs once for each value that keys have.
// One of from alone collects: a run gets all keys that differ in it, in the order of their
// numbers, and has to join them by stack or concat. One of to alone spreads: a run has an
// output for each number or word, and has to take its tensor apart by unstack, split or
// chunk. Several patterns in from are several inputs of a run, several in to several outputs.
// Steps that join go from the inside out (what was collected, then the patterns), and steps
// that take apart from the outside in, so that a rule backwards undoes a rule.
//
// # Numbers
//
// Steps that compute do it in float32, one after the other, and what comes of them is rounded
// once, to the dtype that the tensor had: at the end, or before tensors are joined or an adapter is merged.
// A cast says to which dtype instead.
//
// Every error begins with the file, the line and the column of what is wrong. Lengths of
// files, patterns and keys, and numbers of steps, groups and outputs, are bounded.
package rules
