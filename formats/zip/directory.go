// Package zip reads the central directory of a zip file and finds where the
// bytes of a record lie, without reading them. It differs from archive/zip in
// what a weight file needs: memory bounded before anything is allocated, every
// record served at any offset, and the oddities that make readers disagree about
// a file (flags, names, duplicates) listed instead of ignored.
//
// The layout is that of PKWARE's APPNOTE.TXT 6.3.10; section numbers refer to it.
package zip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"wfs/formats/deflate"
	"wfs/formats/segment"
)

const (
	endLen        = 22
	endSignature  = "PK\x05\x06"
	end64Len      = 56
	end64Sig      = "PK\x06\x06"
	locatorLen    = 20
	locatorSig    = "PK\x06\x07"
	centralLen    = 46
	centralSig    = "PK\x01\x02"
	localLen      = 30
	localSig      = "PK\x03\x04"
	maxComment    = 1<<16 - 1
	zip64ExtraID  = 1
	maxRecords    = 1 << 20
	directoryStep = 1 << 20 // bytes of the directory read at once
)

// Compression methods.
const (
	Stored   = 0
	Deflated = 8
)

// Magic begins every zip file that torch takes for one: it looks at the first
// bytes, not for an end record (torch/serialization.py, _is_zipfile).
const Magic = localSig

// Record is one entry of the central directory.
type Record struct {
	Name       string
	Method     uint16
	Flags      uint16
	CRC        uint32
	Compressed int64 // bytes in the file
	Size       int64 // bytes after decompression
	header     int64 // offset of the local header
}

// Archive is the directory of a zip file.
type Archive struct {
	Records []Record
	// Trailing is the number of bytes after the end record and its comment.
	Trailing int64
	// Faults is the records that were left out by OpenRelaxed, and why.
	Faults []error

	r           io.ReaderAt
	relaxed     bool
	cache       *deflate.Cache
	size        int64
	start       int64    // of the directory
	endOddities []string // of the end records
}

// Open reads the central directory. Records lie inside of file, or it fails. What is
// inflated of them is kept in cache, which may be nil.
func Open(file segment.Data, cache *deflate.Cache) (*Archive, error) {
	return open(&Archive{r: file, cache: cache, size: file.Size()})
}

// OpenRelaxed is Open for a report: a record that cannot be where its entry has it is in
// Faults, and does not hide the others.
func OpenRelaxed(file segment.Data, cache *deflate.Cache) (*Archive, error) {
	return open(&Archive{r: file, cache: cache, size: file.Size(), relaxed: true})
}

func open(a *Archive) (*Archive, error) {
	start, length, count, err := a.findDirectory()
	if err != nil {
		return nil, err
	}
	a.start = start
	if count > maxRecords {
		return nil, fmt.Errorf("zip directory claims %d records, wfs reads %d", count, maxRecords)
	}
	if count > uint64(length)/centralLen {
		return nil, fmt.Errorf("zip directory claims %d records in %d bytes", count, length)
	}
	if err := a.readDirectory(start, length, int(count)); err != nil {
		return nil, err
	}
	return a, nil
}

// findDirectory reads the end record (§4.3.16) and its zip64 form (§4.3.14).
func (a *Archive) findDirectory() (start, length int64, count uint64, err error) {
	tail := make([]byte, min(a.size, endLen+maxComment))
	base := a.size - int64(len(tail))
	if err := segment.ReadFull(a.r, tail, base); err != nil {
		return 0, 0, 0, err
	}
	at := -1
	for i := len(tail) - endLen; i >= 0; i-- {
		if string(tail[i:i+4]) == endSignature && i+endLen+int(le16(tail[i+20:])) <= len(tail) {
			at = i
			break
		}
	}
	if at < 0 {
		return 0, 0, 0, errors.New("zip end record is missing: the file is truncated")
	}
	end := tail[at:]
	other := bytes.LastIndex(tail[:at], []byte(endSignature))
	a.Trailing = int64(len(end) - endLen - int(le16(end[20:])))
	count = uint64(le16(end[10:]))
	length, start = int64(le32(end[12:])), int64(le32(end[16:]))
	if at >= locatorLen && string(tail[at-locatorLen:at-locatorLen+4]) == locatorSig {
		record := int64(le64(tail[at-locatorLen+8:]))
		buf := make([]byte, end64Len)
		if record < 0 || record > a.size-end64Len {
			return 0, 0, 0, fmt.Errorf("zip64 end record at %d is outside the file", record)
		}
		if err := segment.ReadFull(a.r, buf, record); err != nil {
			return 0, 0, 0, err
		}
		if string(buf[:4]) != end64Sig {
			return 0, 0, 0, fmt.Errorf("zip64 end record at %d has a wrong signature", record)
		}
		for _, f := range []struct{ short, none, wide uint64 }{
			{count, 1<<16 - 1, le64(buf[32:])}, {uint64(length), 1<<32 - 1, le64(buf[40:])}, {uint64(start), 1<<32 - 1, le64(buf[48:])},
		} {
			if f.short != f.none && f.short != f.wide {
				a.endOddities = append(a.endOddities, "its end record and its zip64 end record differ")
				break
			}
		}
		count = le64(buf[32:])
		length, start = int64(le64(buf[40:])), int64(le64(buf[48:]))
	}
	if start < 0 || length < 0 || start > a.size || length > a.size-start {
		return 0, 0, 0, fmt.Errorf("zip directory of %d bytes at %d is outside the file", length, start)
	}
	// One inside a record is a zip in a zip, unless its comment takes all that follows.
	if other >= 0 {
		to := other + endLen + int(le16(tail[other+20:]))
		if to == len(tail) || to < len(tail) && base+int64(other) >= start {
			a.endOddities = append(a.endOddities, "it has more than one end record")
		}
	}
	return start, length, count, nil
}

// readDirectory parses count entries (§4.3.12).
func (a *Archive) readDirectory(start, length int64, count int) error {
	a.Records = make([]Record, 0, count)
	in := io.NewSectionReader(a.r, start, length)
	buf := bytes.NewBuffer(nil)
	need := func(n int) error {
		for buf.Len() < n {
			if _, err := io.CopyN(buf, in, int64(max(n-buf.Len(), min(directoryStep, int(length))))); err != nil && buf.Len() < n {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return fmt.Errorf("zip directory, entry %d: %w", len(a.Records), err)
			}
		}
		return nil
	}
	used := int64(0)
	for n := range count {
		if err := need(centralLen); err != nil {
			return a.ends(err)
		}
		h := buf.Bytes()[:centralLen]
		if string(h[:4]) != centralSig {
			return a.ends(fmt.Errorf("zip directory entry %d has a wrong signature", n))
		}
		nameLen, extraLen, commentLen := int(le16(h[28:])), int(le16(h[30:])), int(le16(h[32:]))
		rec := Record{
			Flags: le16(h[8:]), Method: le16(h[10:]), CRC: le32(h[16:]),
			Compressed: int64(le32(h[20:])), Size: int64(le32(h[24:])), header: int64(le32(h[42:])),
		}
		if err := need(centralLen + nameLen + extraLen + commentLen); err != nil {
			return a.ends(err)
		}
		entry := buf.Next(centralLen + nameLen + extraLen + commentLen)
		used += int64(len(entry))
		rec.Name = string(entry[centralLen : centralLen+nameLen])
		rec.widen(entry[centralLen+nameLen:][:extraLen])
		if rec.header < 0 || rec.header > a.size-localLen || rec.Compressed < 0 || rec.Size < 0 ||
			rec.Compressed > a.size-rec.header-localLen {
			err := fmt.Errorf("zip record %q lies outside the file", rec.Name)
			if !a.relaxed {
				return err
			}
			a.fault(err)
			continue
		}
		if rec.Method == Stored && rec.Compressed != rec.Size {
			err := fmt.Errorf("zip record %q is stored, but has two sizes: %d and %d", rec.Name, rec.Compressed, rec.Size)
			if !a.relaxed {
				return err
			}
			a.fault(err)
			rec.Size = rec.Compressed // what it holds is looked at nevertheless
		}
		a.Records = append(a.Records, rec)
	}
	if used < length {
		a.endOddities = append(a.endOddities, fmt.Sprintf("its directory goes on past the %d records that it claims", count))
	}
	return nil
}

// maxFaults bounds the list.
const maxFaults = 100

func (a *Archive) fault(err error) {
	if len(a.Faults) < maxFaults {
		a.Faults = append(a.Faults, err)
	}
}

// ends is the error of a directory that cannot be read on: for a report, what was read counts.
func (a *Archive) ends(err error) error {
	if !a.relaxed {
		return err
	}
	a.fault(err)
	return nil
}

// Extent is where the bytes of a record lie in the file, as they are stored there.
func (a *Archive) Extent(rec *Record) (off, n int64, err error) {
	l, err := a.local(rec)
	return l.data, rec.Compressed, err
}

// widen takes the 64-bit values of the zip64 extra field (§4.5.3), which holds
// those of size, compressed size and offset that are all ones in the entry.
func (rec *Record) widen(extra []byte) {
	for len(extra) >= 4 {
		id, n := le16(extra), int(le16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return
		}
		field := extra[:n]
		extra = extra[n:]
		if id != zip64ExtraID {
			continue
		}
		for _, v := range []*int64{&rec.Size, &rec.Compressed, &rec.header} {
			if *v == 1<<32-1 && len(field) >= 8 {
				*v = int64(le64(field))
				field = field[8:]
			}
		}
		return
	}
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
