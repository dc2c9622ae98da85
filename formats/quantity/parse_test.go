package quantity

import "testing"

func TestParseBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"5GB", 5e9}, {"5gb", 5e9}, {"1.5MB", 1.5e6}, {"0", 0}, {"12", 12}, {"12 B", 12}, {"1KiB", 1024}, {"2 GiB", 2 << 30}, {"2Gi", 2 << 30}, {"1TB", 1e12},
		{"", -1}, {"GB", -1}, {"5XB", -1}, {"5bG", -1}, {"-1", -1}, {"nan", -1}, {"inf", -1}, {"1e30", -1}, {"5GBB", -1}, {"5K", -1},
	} {
		got, err := ParseBytes(c.text)
		if c.want < 0 {
			if err == nil {
				t.Errorf("%q is %d", c.text, got)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%q: %d, %v; want %d", c.text, got, err, c.want)
		}
	}
}
