// Package digest computes SHA-256 sums of tensors, and of a model as a set of them. They
// depend on what a model holds and not on the file that holds it: a model has one sum as a
// .bin, as a .safetensors, in shards, and in a mount of any of these.
//
// # The sum of a tensor
//
// It is the SHA-256 of a line that says what the tensor is, and its elements:
//
//	F32 [2, 3]\n        the dtype as safetensors calls it, a space, the shape as Python
//	                    prints a list, a line feed
//	24 bytes            in C order, little endian, as in a .safetensors or in raw/
//
// The key is not part of it: a tensor that was renamed keeps its sum. With PyTorch:
//
//	def tensor_sum(t, dtype):  # dtype: "F32", "BF16", "I64", "BOOL" …
//	    bits = t.contiguous().reshape(-1).view(torch.uint8).numpy()
//	    return hashlib.sha256(f"{dtype} {list(t.shape)}\n".encode() + bits.tobytes()).hexdigest()
//
// # The sum of a model
//
// It is the SHA-256 of the lines that wfs sum prints before it: for each tensor, in the
// order of the bytes of the keys, its sum in hexadecimal, two spaces, the key, a line feed.
//
//	lines = sorted((key.encode(), tensor_sum(t, dtype)) for key, t, dtype in …)
//	hashlib.sha256(b"".join(s.encode() + b"  " + k + b"\n" for k, s in lines)).hexdigest()
//
// A key that holds a backslash, a control character or a byte that is not UTF-8 is escaped,
// and its line begins with a backslash, as sha256sum does it: \\ and \n and \r, and \xNN for
// each byte of the others. No two keys look the same.
package digest
