package audit

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"

	"wfs/formats/segment"
	"wfs/formats/torch"
)

// tar reports on every member.
func (s *scanner) tar(file segment.Data, name string, depth int) {
	in := io.NewSectionReader(file, 0, file.Size())
	archive := tar.NewReader(in)
	for range torch.MaxTarMembers {
		h, err := archive.Next()
		if err == io.EOF {
			if at, err := in.Seek(0, io.SeekCurrent); err == nil {
				if at = afterZeros(file, at); at < file.Size() {
					s.tail(file, at, prefix(name)+"tar", depth)
				}
			}
			return
		}
		if err != nil {
			s.note("%star: %v", prefix(name), err)
			return
		}
		at, err := in.Seek(0, io.SeekCurrent)
		switch {
		case err != nil:
			s.note("%star: %v", prefix(name), err)
			return
		case h.Typeflag == tar.TypeDir:
		case h.Typeflag != tar.TypeReg:
			s.note("%smember %q is not a regular file", prefix(name), cut(h.Name))
		case h.Size > file.Size()-at:
			s.note("%smember %q is cut short", prefix(name), cut(h.Name))
		default:
			s.tarMember(&segment.Range{Src: file, Off: at, N: h.Size}, h.Name, name, depth)
		}
	}
	s.note("%star has more than %d members", prefix(name), torch.MaxTarMembers)
}

// afterZeros is where the zeros end that fill the last record of a tar: 10 KiB by default, and
// at most maxRecord. What lies behind more of them is not the tar's either.
func afterZeros(file segment.Data, at int64) int64 {
	const maxRecord = 1 << 20
	var block [4 << 10]byte
	for end := min(file.Size(), at+maxRecord); at < end; {
		read := block[:min(int64(len(block)), end-at)]
		if segment.ReadFull(file, read, at) != nil {
			return at
		}
		more := bytes.TrimLeft(read, "\x00")
		at += int64(len(read) - len(more))
		if len(more) > 0 {
			break
		}
	}
	return at
}

// tarMember walks the members between whose pickles raw numbers lie, storages and
// tensors, as their reader does; any other is looked at as what it is.
func (s *scanner) tarMember(data segment.Data, member, name string, depth int) {
	title := below(name, cut(member))
	switch member {
	case "pickle", "sys_info":
		s.lookInside(data, title, depth+1, asPickle)
		return
	case "storages", "tensors":
	default:
		s.lookInside(data, title, depth+1, memberKind(member))
		return
	}
	end, err := torch.WalkOldMember(member, data, func(off int64) {
		s.one(data, off, fmt.Sprintf("%s at %d", title, off), depth)
	})
	switch {
	case err != nil:
		s.note("%smember %s: %v", prefix(name), member, err)
		s.pickles(data, end, title, depth, asBytes)
	case end < data.Size():
		s.tail(data, end, title, depth)
	}
}
