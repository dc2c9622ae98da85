package zip

import (
	"fmt"
	"hash/crc32"
	"io"

	"wfs/formats/deflate"
	"wfs/formats/segment"
)

// Flag bits (§4.4.4) that change how a record is read.
const (
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagPatched    = 1 << 5
	flagStrong     = 1 << 6
	flagMasked     = 1 << 13
	unreadableBits = flagEncrypted | flagPatched | flagStrong | flagMasked
)

// local is what the header in front of a record's bytes says (§4.3.7).
type local struct {
	flags, method    uint16
	crc              uint32
	compressed, size uint32
	nameLen          int64
	data             int64 // offset of the first byte of the record
}

// Reader opens records one after the other. Headers that lie close to one another, as those
// of many small tensors do, are read together. It is for one goroutine.
type Reader struct {
	*Archive
	window []byte
	at     int64 // of the window
	last   int64 // header that was read
}

// Reader makes a Reader.
func (a *Archive) Reader() *Reader { return &Reader{Archive: a, last: -windowLen} }

// windowLen is how close to the header before a header lies for a window to be read.
const windowLen = 32 << 10

// Data is Archive.Data.
func (r *Reader) Data(rec *Record) (segment.Data, error) {
	if err := rec.readable(); err != nil {
		return nil, err
	}
	if rec.Method == Stored && segment.IsDistant(r.r) {
		return &late{archive: r.Archive, rec: rec}, nil
	}
	var h []byte
	switch near := rec.header - r.last; {
	case rec.header >= r.at && rec.header+localLen <= r.at+int64(len(r.window)):
		h = r.window[rec.header-r.at:][:localLen]
	case near > 0 && near < windowLen:
		size := min(windowLen, r.size-rec.header)
		if int64(cap(r.window)) < size {
			r.window = make([]byte, size)
		}
		r.window, r.at = r.window[:size], rec.header
		if err := segment.ReadFull(r.r, r.window, r.at); err != nil {
			r.window = r.window[:0]
			return nil, fmt.Errorf("record %s: %w", rec.Name, err)
		}
		h = r.window[:localLen]
	}
	r.last = rec.header
	return r.data(rec, h)
}

// local reads the header in front of rec: only it tells how long its own name
// and extra field are, and with that where the bytes begin.
func (a *Archive) local(rec *Record) (local, error) {
	var h [localLen]byte
	if err := segment.ReadFull(a.r, h[:], rec.header); err != nil {
		return local{}, fmt.Errorf("record %s: %w", rec.Name, err)
	}
	return a.parseLocal(rec, h[:])
}

func (a *Archive) parseLocal(rec *Record, h []byte) (local, error) {
	if string(h[:4]) != localSig {
		return local{}, fmt.Errorf("record %s: no local header at %d", rec.Name, rec.header)
	}
	nameLen, extraLen := int64(le16(h[26:])), int64(le16(h[28:]))
	l := local{
		flags: le16(h[6:]), method: le16(h[8:]), crc: le32(h[14:]), compressed: le32(h[18:]), size: le32(h[22:]),
		nameLen: nameLen, data: rec.header + localLen + nameLen + extraLen,
	}
	if l.data > a.size || rec.Compressed > a.size-l.data {
		return local{}, fmt.Errorf("record %s: %d bytes at %d reach outside the file", rec.Name, rec.Compressed, l.data)
	}
	return l, nil
}

// Data makes the uncompressed bytes of a record readable at any offset: a plain
// range when it is stored, inflated while reading when it is deflated.
// Encrypted records and other methods are errors.
func (a *Archive) Data(rec *Record) (segment.Data, error) {
	if err := rec.readable(); err != nil {
		return nil, err
	}
	return a.data(rec, nil)
}

func (rec *Record) readable() error {
	if rec.Flags&unreadableBits != 0 {
		return fmt.Errorf("record %s is encrypted or patched (flags %#x)", rec.Name, rec.Flags)
	}
	return nil
}

// Relaxed is Data for a report: flags that claim encryption are not believed, because
// there are readers that do not look at them.
func (a *Archive) Relaxed(rec *Record) (segment.Data, error) {
	return a.data(rec, nil)
}

// data makes the bytes of a record readable whose local header is h, which is read where it
// is nil.
func (a *Archive) data(rec *Record, h []byte) (segment.Data, error) {
	var l local
	var err error
	if h != nil {
		l, err = a.parseLocal(rec, h)
	} else {
		l, err = a.local(rec)
	}
	if err != nil {
		return nil, err
	}
	raw := &segment.Range{Src: a.r, Off: l.data, N: rec.Compressed}
	switch rec.Method {
	case Stored:
		return raw, nil
	case Deflated:
		if rec.Size/maxInflation > rec.Compressed {
			return nil, fmt.Errorf("record %s claims to inflate %d bytes to %d", rec.Name, rec.Compressed, rec.Size)
		}
		return &inflated{deflate.New(a.cache, raw, rec.Compressed, rec.Size), rec.Name}, nil
	}
	return nil, fmt.Errorf("record %s uses compression method %d: wfs reads stored and deflated records", rec.Name, rec.Method)
}

// maxInflation is more than deflate can reach: 1032 bytes out of one
// (zlib's technical notes, "Maximum Compression Factor").
const maxInflation = 1032

// inflated is a deflated record. Its errors name it.
type inflated struct {
	*deflate.Stream
	name string
}

// ReadAt implements segment.Data.
func (f *inflated) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.Stream.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("record %s: %w", f.name, err)
	}
	return n, err
}

// Inflates reports whether data is inflated while it is read.
func Inflates(data segment.Data) bool {
	_, ok := data.(*inflated)
	return ok
}

// Bounds of what Hold reads: no tool that re-zips a model makes a pickle so large.
const (
	maxHeld = 16 << 20
	// MaxInflated is the most bytes of a record that is inflated to be parsed.
	MaxInflated = 1 << 30
)

// Hold reads a deflated record into memory where it is small: the payloads of a pickle
// are read in any order, and deflate starts anew for each.
func Hold(data segment.Data) (segment.Data, error) {
	if !Inflates(data) {
		return data, nil
	}
	if data.Size() > MaxInflated {
		return nil, fmt.Errorf("it inflates to %d bytes, wfs reads %d", data.Size(), MaxInflated)
	}
	if data.Size() > maxHeld {
		return data, nil
	}
	b := make([]byte, data.Size())
	if err := segment.ReadFull(data, b, 0); err != nil {
		return nil, err
	}
	return segment.Literal(b), nil
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
