package checkpoint

import "strconv"

// ShapeText is a shape, or another list of indices, as Python writes a list: "[2, 3]", "[]".
func ShapeText(shape []int64) string {
	b := []byte{'['}
	for i, n := range shape {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}
