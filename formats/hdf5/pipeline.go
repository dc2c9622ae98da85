package hdf5

import "fmt"

// Filters by their registered number.
const (
	filterDeflate    = 1
	filterShuffle    = 2
	filterFletcher32 = 3
	filterLZF        = 32000
)

// filterNames are filters that files in the wild use and this package lacks.
var filterNames = map[uint16]string{
	4: "szip", 5: "nbit", 6: "scaleoffset", 305: "lzo", 307: "bzip2", 32001: "blosc",
	32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32017: "sz", 32022: "bitgroom",
	32026: "blosc2",
}

// maxFilters is H5Z_MAX_NFILTERS.
const maxFilters = 32

// filter is one step of a pipeline, in the order of writing.
type filter struct {
	id     uint16
	name   string
	client []uint32
}

// decodePipeline decodes a filter pipeline message (IV.A.2.l).
func decodePipeline(c *cursor) ([]filter, error) {
	version, count := c.u8(), int(c.u8())
	switch version {
	case 1:
		c.skip(6)
	case 2:
	default:
		return nil, c.errorf("version %d", version)
	}
	if count > maxFilters {
		return nil, c.errorf("%d filters", count)
	}
	filters := make([]filter, count)
	for i := range filters {
		fl := &filters[i]
		fl.id = c.u16()
		nameLength := 0
		if version == 1 || fl.id >= 256 {
			nameLength = int(c.u16())
		}
		c.skip(2) // flags: whether writing may fail, which the chunks' masks tell
		values := int(c.u16())
		if version == 1 {
			nameLength = (nameLength + 7) &^ 7
		}
		name := c.next(uint64(nameLength))
		for j, b := range name {
			if b == 0 {
				name = name[:j]
				break
			}
		}
		fl.name = string(name)
		for range values {
			fl.client = append(fl.client, c.u32())
			if err := c.err(); err != nil {
				return nil, err
			}
		}
		if version == 1 && values%2 != 0 {
			c.skip(4)
		}
	}
	return filters, c.err()
}

// unsupported says why a filter's output cannot be read, or "".
func (fl *filter) unsupported() string {
	switch fl.id {
	case filterDeflate, filterShuffle, filterFletcher32, filterLZF:
		return ""
	}
	name := filterNames[fl.id]
	if name == "" {
		name = fmt.Sprintf("%q", fl.name)
	}
	return fmt.Sprintf("filter %s (%d) is not built in", name, fl.id)
}
