package source

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// basicInfo is FILE_BASIC_INFO (winbase.h). Times are in units of 100 ns since 1601.
type basicInfo struct {
	creation, access, write, change int64
	attributes, _                   uint32
}

// stampOf asks for the change time too, which no program can put back with the write time
// alone, as the ctime of other systems.
func stampOf(f *os.File) (stamp, error) {
	handle := windows.Handle(f.Fd())
	var file windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &file); err != nil {
		return stamp{}, err
	}
	var basic basicInfo
	if err := windows.GetFileInformationByHandleEx(handle, windows.FileBasicInfo, (*byte)(unsafe.Pointer(&basic)), uint32(unsafe.Sizeof(basic))); err != nil {
		return stamp{}, err
	}
	return stamp{
		size:     int64(file.FileSizeHigh)<<32 | int64(file.FileSizeLow),
		modified: unixNano(basic.write), changed: unixNano(basic.change),
		device: uint64(file.VolumeSerialNumber), inode: uint64(file.FileIndexHigh)<<32 | uint64(file.FileIndexLow),
		owner: owner{links: uint64(file.NumberOfLinks), mode: uint64(basic.attributes)},
	}, nil
}

func unixNano(filetime int64) int64 {
	const between = 116_444_736_000_000_000 // 1601 and 1970
	return (filetime - between) * 100
}
