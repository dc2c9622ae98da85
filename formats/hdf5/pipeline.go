package hdf5

import "fmt"

// Filters by their registered number.
const (
	filterDeflate    = 1
	filterShuffle    = 2
	filterFletcher32 = 3
	filterSzip       = 4
	filterNBit       = 5
	filterScale      = 6
	filterLZF        = 32000
)

// filterNames are filters that files in the wild use and this package lacks.
var filterNames = map[uint16]string{
	305: "lzo", 307: "bzip2", 32001: "blosc",
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

	// What client says to the filters that have a type of their own here:
	scale *scaleOffset
	nbit  *nbit
	szip  *szip
	fault string // why client says nothing
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
		fl.prepare()
	}
	return filters, c.err()
}

// prepare decodes the parameters of a filter.
func (fl *filter) prepare() {
	switch fl.id {
	case filterScale:
		fl.scale, fl.fault = decodeScaleOffset(fl.client)
	case filterNBit:
		fl.nbit, fl.fault = decodeNBit(fl.client)
	case filterSzip:
		fl.szip, fl.fault = decodeSzip(fl.client)
	}
}

// unsupported says why a filter's output cannot be read in chunks of a size, or "".
func (s *step) unsupported(chunk uint64) string {
	fl := s.filter
	if fl.fault != "" {
		return fl.fault
	}
	if s.known {
		chunk = uint64(s.size)
	}
	given := chunk
	switch fl.id {
	case filterDeflate, filterShuffle, filterFletcher32, filterLZF:
	case filterSzip:
		// The library itself loses the bytes that are no whole sample.
		if unit := uint64(fl.szip.unit()); unit > 1 && (!s.known || chunk%unit != 0) {
			return "szip after a filter that changes the number of bytes"
		}
	case filterNBit:
		if !fl.nbit.plain {
			given = fl.nbit.count * fl.nbit.size
		}
	case filterScale:
		if !fl.scale.plain {
			given = fl.scale.count * fl.scale.size
		}
	default:
		name := filterNames[fl.id]
		if name == "" {
			name = fmt.Sprintf("%q", fl.name)
		}
		return fmt.Sprintf("filter %s (%d) is not built in", name, fl.id)
	}
	if given != chunk {
		return fmt.Sprintf("the %s filter is for chunks of %d bytes, not %d", fl.kind(), given, chunk)
	}
	return ""
}

// kind names a filter that is built in.
func (fl *filter) kind() string {
	switch fl.id {
	case filterDeflate:
		return "deflate"
	case filterLZF:
		return "lzf"
	case filterShuffle:
		return "shuffle"
	case filterFletcher32:
		return "fletcher32"
	case filterSzip:
		return "szip"
	case filterNBit:
		return "nbit"
	}
	return "scaleoffset"
}

// keepsSize reports whether a filter gives as many bytes as it is given.
func (fl *filter) keepsSize() bool { return fl.id == filterShuffle || fl.idle() }

// idle reports whether a filter does nothing at all.
func (fl *filter) idle() bool {
	return fl.nbit != nil && fl.nbit.plain || fl.scale != nil && fl.scale.plain
}

// unused reports whether no chunk went through any of the filters that cannot be
// undone: nothing is written yet, or their bit is set in the mask of each chunk. Such a
// filter was optional, and what wrote the file had none either.
func (d *Dataset) unused(m *metadata, missing uint32) bool {
	if d.layout.addr == undefined {
		return true
	}
	if d.layout.index == indexImplicit {
		return false
	}
	if _, ok := d.f.loaded.Load(d.addr); ok { // it was found unused before
		return true
	}
	x, err := d.loadIndex(m)
	if err != nil {
		return false
	}
	at := make([]uint64, len(d.grid))
	for _, e := range x.entries {
		position(at, d.grid, e.place)
		if plain, err := d.plain(e, at); err != nil || !plain && missing&^e.mask != 0 {
			d.f.entries.Add(-int64(len(x.entries)))
			return false
		}
	}
	d.f.loaded.Store(d.addr, x)
	return true
}
