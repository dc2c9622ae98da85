// Package keys works on the keys of tensors as users type and read them: patterns, the
// keys that a mistyped one can have meant, and the order that people count in.
package keys
