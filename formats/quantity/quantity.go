// Package quantity writes numbers as people read them in a line or on a page.
package quantity

import (
	"fmt"
	"strconv"
)

// Bytes is a size in binary units, with one decimal: "512 B", "1.5 GiB".
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// Of is a number of things whose plural ends in s: "1 tensor", "2 tensors".
func Of[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Grouped is a number that is not negative with a separator between its thousands: 1,234,567.
func Grouped(n int64, separator string) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + separator + digits[i:]
	}
	return digits
}
