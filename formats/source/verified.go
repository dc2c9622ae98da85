package source

import (
	"io"

	"wfs/formats/segment"
)

// VerifyRead is Verify after n bytes of data, which is made of s, were read from off on. Of a
// group only those sources are asked that the bytes come from, where that can be told: it may
// have thousands. All are asked of bytes that are made, as a header is.
func VerifyRead(s Source, data segment.Data, off, n int64) error {
	g, ok := s.(*group)
	if !ok || off < 0 || off >= data.Size() {
		return s.Verify()
	}
	var last Source
	var err error
	asked := 0
	told := segment.Origins(data, off, min(n, data.Size()-off), func(src io.ReaderAt, _, _ int64) bool {
		from, ok := src.(Source)
		if ok && from != last {
			last, err = from, from.Verify()
			asked++
		}
		return ok && err == nil && asked <= len(g.all)
	})
	if err != nil || told && asked > 0 {
		return err
	}
	return g.Verify()
}

// Verified is data made of s, of which none is given out that was read while s changed.
func Verified(data segment.Data, s Source) segment.Data { return verified{data, s} }

type verified struct {
	segment.Data
	source Source
}

// ReadAt implements segment.Data.
func (v verified) ReadAt(p []byte, off int64) (int, error) {
	n, err := v.Data.ReadAt(p, off)
	if stale := VerifyRead(v.source, v.Data, off, int64(n)); stale != nil {
		return 0, stale
	}
	return n, err
}
