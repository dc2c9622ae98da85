package hdf5

// unLZF decompresses src, in the format of liblzf as h5py's filter writes it, and
// fills dst exactly. A control byte under 32 begins that many literals and one more;
// any other holds three bits of a length and five of a distance (lzf_d.c).
func unLZF(dst, src []byte) bool {
	n := 0
	for i := 0; i < len(src); {
		control := int(src[i])
		i++
		if control < 32 {
			length := control + 1
			if length > len(src)-i || length > len(dst)-n {
				return false
			}
			n += copy(dst[n:], src[i:i+length])
			i += length
			continue
		}
		length := control >> 5
		if length == 7 {
			if i >= len(src) {
				return false
			}
			length += int(src[i])
			i++
		}
		length += 2
		if i >= len(src) {
			return false
		}
		from := n - (control&31)<<8 - int(src[i]) - 1
		i++
		if from < 0 || length > len(dst)-n {
			return false
		}
		if gap := n - from; gap >= length {
			n += copy(dst[n:n+length], dst[from:])
			continue
		}
		for range length { // the copy overlaps itself: it repeats what it just wrote
			dst[n] = dst[from]
			n, from = n+1, from+1
		}
	}
	return n == len(dst)
}

// lzfSize is the size that src decompresses to, from the lengths of its runs.
func lzfSize(src []byte) (uint64, bool) {
	n := 0
	for i := 0; i < len(src); {
		control := int(src[i])
		i++
		if control < 32 {
			i += control + 1
			n += control + 1
			continue
		}
		length := control >> 5
		if length == 7 {
			if i >= len(src) {
				return 0, false
			}
			length += int(src[i])
			i++
		}
		i++
		n += length + 2
	}
	return uint64(n), true
}
