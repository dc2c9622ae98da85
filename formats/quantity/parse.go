package quantity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseBytes reads a size as people write it: a number, and B, KB, MB, GB or TB, which are
// powers of 1000 as in huggingface_hub, or KiB, MiB, GiB or TiB, which are powers of 1024.
// Letters may be small, the number may have decimals.
func ParseBytes(text string) (int64, error) {
	number := strings.TrimRight(text, "kKmMgGtTiIbB ")
	scale := 1.0
	switch unit := strings.ToLower(strings.TrimSpace(text[len(number):])); {
	case unit == "" || unit == "b":
	default:
		power := strings.IndexByte("kmgt", unit[0]) + 1
		switch {
		case power > 0 && unit[1:] == "b":
			scale = math.Pow(1000, float64(power))
		case power > 0 && (unit[1:] == "ib" || unit[1:] == "i"):
			scale = math.Pow(1024, float64(power))
		default:
			return 0, fmt.Errorf("%q is not a size: write 5GB, 512MiB or a number of bytes", text)
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0) || n*scale > 1<<62 {
		return 0, fmt.Errorf("%q is not a size: write 5GB, 512MiB or a number of bytes", text)
	}
	return int64(n * scale), nil
}
