package zip

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"wfs/formats/segment"
)

// maxDescriptor is the longest data descriptor behind a record (§4.3.9).
const maxDescriptor = 24

// extent is what a record takes in the file, its local header included.
type extent struct {
	from, to int64
	record   int
}

// Oddities are what makes readers disagree about the archive as a whole: two end
// records, bytes that belong to no record, records that share bytes. Each kind is
// said once.
func (a *Archive) Oddities() []string {
	found := slices.Clone(a.endOddities)
	extents := make([]extent, 0, len(a.Records)+1)
	for i := range a.Records {
		rec := &a.Records[i]
		if l, err := a.local(rec); err == nil {
			extents = append(extents, extent{rec.header, l.data + rec.Compressed, i})
		}
	}
	slices.SortFunc(extents, func(x, y extent) int { return cmp.Compare(x.from, y.from) })
	at, gap, shared := int64(0), false, false
	for _, e := range append(extents, extent{a.start, a.start, -1}) {
		if e.from > at+maxDescriptor && !gap {
			gap = true
			found = append(found, fmt.Sprintf("%d bytes at %d belong to no record", e.from-at, at))
		}
		if e.from < at && !shared {
			shared = true
			what := "the directory"
			if e.record >= 0 {
				what = fmt.Sprintf("record %q", a.Records[e.record].Name)
			}
			found = append(found, fmt.Sprintf("%s shares bytes with the record before it", what))
		}
		at = max(at, e.to)
	}
	return found
}

// maxChecked bounds the records whose CRC is checked.
const maxChecked = 1 << 30

// CheckCRC reads all of a record's data. A difference is an error.
func (a *Archive) CheckCRC(rec *Record, data segment.Data) error {
	if data.Size() > maxChecked {
		return nil
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(data, 0, data.Size())); err != nil {
		return fmt.Errorf("record %q: %w", rec.Name, err)
	}
	if sum.Sum32() != rec.CRC {
		return fmt.Errorf("record %q: its CRC is not that of its bytes", rec.Name)
	}
	return nil
}
