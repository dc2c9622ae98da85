package zip

import (
	"cmp"
	"fmt"
	"slices"

	"wfs/formats/segment"
)

// maxDescriptor is the longest data descriptor after a record (§4.3.9).
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

// Anomalies compares a record with its local header: readers that trust the one
// and readers that trust the other see different files.
func (a *Archive) Anomalies(rec *Record) []string {
	var found []string
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("record %q: ", rec.Name)+fmt.Sprintf(format, args...))
	}
	if rec.Flags&unreadableBits != 0 {
		say("flags %#x claim encryption or patching", rec.Flags)
	}
	l, err := a.local(rec)
	if err != nil {
		say("%v", err)
		return found
	}
	name := make([]byte, min(l.nameLen, int64(len(rec.Name))+1))
	if segment.ReadFull(a.r, name, rec.header+localLen) != nil || string(name) != rec.Name {
		say("the local header has another name")
	}
	if (l.flags^rec.Flags)&unreadableBits != 0 {
		say("flags are %#x in the directory and %#x in the local header", rec.Flags, l.flags)
	}
	if l.method != rec.Method {
		say("compression method is %d in the directory and %d in the local header", rec.Method, l.method)
	}
	// The fields are zero where a data descriptor follows the record (§4.4.4, bit 3), and all
	// ones where they are 64 bits wide.
	for _, f := range []struct {
		what               string
		local, inDirectory uint64
	}{
		{"CRC", uint64(l.crc), uint64(rec.CRC)}, {"compressed size", uint64(l.compressed), uint64(rec.Compressed)}, {"size", uint64(l.size), uint64(rec.Size)},
	} {
		if f.local != f.inDirectory && f.local != 1<<32-1 && !(f.local == 0 && l.flags&flagDescriptor != 0) {
			say("%s is %d in the directory and %d in the local header", f.what, f.inDirectory, f.local)
		}
	}
	return found
}
