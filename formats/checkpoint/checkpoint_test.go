package checkpoint

import "testing"

func TestByteSize(t *testing.T) {
	for _, c := range []struct {
		dtype DType
		shape []int64
		want  int64 // -1 for an error
	}{
		{F32, nil, 4},
		{I64, []int64{2, 3}, 48},
		{F4, []int64{32}, 16},
		{F6E2M3, []int64{4}, 3},
		{F6E2M3, []int64{3}, -1},
		{BF16, []int64{0, 1 << 40}, 0},
		{I64, []int64{1 << 56}, 1 << 59}, // more bits than an int64 counts
		{I64, []int64{1 << 59}, 1 << 62},
		{I64, []int64{1<<59 + 1}, -1},
		{C128, []int64{1 << 61}, -1},
		{U8, []int64{1 << 40, 1 << 40}, -1},
		{U8, []int64{-1}, -1},
		{Q4K, []int64{2, 512}, 4 * 144},
		{Q80, []int64{32}, 34},
		{Q4K, []int64{2, 128}, -1}, // one block's elements, in two rows
		{Q4K, nil, -1},
		{Q4K, []int64{1 << 40, 256, 1 << 20}, -1},
	} {
		got, err := ByteSize(c.dtype, c.shape)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("%s %v: %d bytes, want %d (%v)", c.dtype, c.shape, got, c.want, err)
		}
	}
}
