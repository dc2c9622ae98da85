package audit

import (
	"archive/tar"
	"fmt"
	"io"

	"wfs/formats/segment"
	"wfs/formats/torch"
)

// tar reports on every member.
func (s *scanner) tar(file segment.Data, path string, depth int) {
	in := io.NewSectionReader(file, 0, file.Size())
	archive := tar.NewReader(in)
	for n := 0; n < torch.MaxTarMembers; n++ {
		h, err := archive.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			s.note("%star: %v", path, err)
			return
		}
		at, err := in.Seek(0, io.SeekCurrent)
		switch {
		case err != nil:
			s.note("%star: %v", path, err)
			return
		case h.Typeflag == tar.TypeDir:
		case h.Typeflag != tar.TypeReg:
			s.note("%smember %q is not a regular file", path, h.Name)
		case h.Size > file.Size()-at:
			s.note("%smember %q is cut short", path, h.Name)
		default:
			s.tarMember(&segment.Range{Src: file, Off: at, N: h.Size}, h.Name, path, depth)
		}
	}
	s.note("%star has more than %d members", path, torch.MaxTarMembers)
}

// tarMember walks the members between whose pickles raw numbers lie, storages and
// tensors, as their reader does; any other is scanned from its first byte.
func (s *scanner) tarMember(data segment.Data, name, path string, depth int) {
	if name != "storages" && name != "tensors" {
		switch {
		case s.nested(data, path+name, depth+1):
		case name == "pickle", name == "sys_info":
			s.in.all(data, 0, path+name, depth)
		default:
			s.plain(data, path+name, false, depth)
		}
		return
	}
	end, err := torch.WalkOldMember(name, data, func(off int64) {
		s.in.one(data, off, fmt.Sprintf("%s%s at %d", path, name, off), depth)
	})
	switch {
	case err != nil:
		s.note("%smember %s: %v", path, name, err)
		s.in.search(data, end, path+name, depth)
	case end < data.Size():
		s.tail(data, end, path+name, depth)
	}
}
