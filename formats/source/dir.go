package source

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Kind is what an entry of a directory is.
type Kind int

// The kinds of entries. A symbolic link to a file is a File.
const (
	File       Kind = iota
	Directory       // below which List goes on
	LinkedDir       // a symbolic link to a directory, which is not followed
	Special         // a device, a socket, a pipe
	Unreadable      // nothing is known of it; Open says why
)

// Entry is an entry of a directory.
type Entry struct {
	Name string
	Kind Kind
}

// Dir is a directory of sources. Paths are slash-separated below it.
type Dir interface {
	// Path is how the user named the directory, for messages.
	Path() string
	// List is the entries of the directory at a path, "" for the Dir itself, by name.
	List(path string) ([]Entry, error)
	// Open opens the file at a path. The error of one that is not there is fs.ErrNotExist,
	// and ErrDangling too where a link names it; of one that may not be read
	// fs.ErrPermission, of one that a link has outside of the directory ErrOutside.
	Open(path string) (Source, error)
	// Close ends List and Open; what was opened stays open.
	Close() error
}

// listed is the entries of an open directory by name; kindOf says what each is.
func listed(dir *os.File, kindOf func(fs.DirEntry) Kind) ([]Entry, error) {
	list, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(list))
	for i, e := range list {
		entries[i] = Entry{e.Name(), kindOf(e)}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Nested is a Dir whose directories can be opened as one by themselves.
type Nested interface {
	Dir
	Sub(path string) (Dir, error)
}

var (
	// ErrOutside says that a link leaves the directory.
	ErrOutside = errors.New("is a link that leaves the directory")
	// ErrDangling says that a link leads nowhere. It is a fs.ErrNotExist too.
	ErrDangling error = dangling{}
)

type dangling struct{}

func (dangling) Error() string        { return "is a link to a file that is not there" }
func (dangling) Is(target error) bool { return target == fs.ErrNotExist }
