package formats

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
	"wfs/formats/source/blocks"
	"wfs/formats/source/http"
	"wfs/formats/source/hub"
)

// SourceOptions say how sources are read that are not on this machine.
type SourceOptions struct {
	CacheDir  string        // of blocks, "" for the user's own
	CacheSize int64         // bytes on the disk, 0 for none
	Timeout   time.Duration // how long a read goes on when nothing comes, 0 for a minute
	Agent     string        // what servers are told that we are
	Warn      func(error)   // told when the disk fails, may be nil
}

// Sources opens what users name: paths, and URLs.
type Sources struct {
	far func() far // made when it is needed first
}

// far is what opens sources that are not on this machine.
type far struct {
	web *http.Client
	hub *hub.Hub
}

// NewSources makes Sources, and asks nobody yet.
func NewSources(opt SourceOptions) *Sources {
	return &Sources{sync.OnceValue(func() far {
		cache := blocks.New(blocks.Options{Dir: cacheDir(opt), Disk: opt.CacheSize, Warn: opt.Warn})
		web := http.New(cache, blocks.WithTimeout(opt.Timeout), opt.Agent)
		return far{web, hub.New(hub.FromEnvironment(os.Getenv), web)}
	})}
}

// cacheDir is where blocks are kept, "" for nowhere.
func cacheDir(opt SourceOptions) string {
	if opt.CacheSize == 0 {
		return ""
	}
	if opt.CacheDir != "" {
		return opt.CacheDir
	}
	user, err := os.UserCacheDir() // XDG_CACHE_HOME, or ~/.cache
	if err != nil {
		return ""
	}
	return filepath.Join(user, "wfs")
}

// IsRemote reports whether a source is named by a URL.
func IsRemote(name string) bool {
	return hub.IsName(name) || strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// Shown is the name of a source for lists, logs and messages: that of a URL has no password and
// no signature.
func Shown(name string) string {
	if IsRemote(name) && !hub.IsName(name) {
		return http.Shown(name)
	}
	return name
}

// Find is the place that a URL names. Who gets it closes its Dir.
func (s *Sources) Find(name string) (checkpoint.Place, error) {
	far := s.far()
	if !hub.IsName(name) {
		a, err := http.Parse(name)
		if err != nil {
			return checkpoint.Place{}, err
		}
		if a.IsDir() {
			return checkpoint.Place{Dir: far.web.Dir(a)}, nil
		}
		return checkpoint.Place{Dir: far.web.Dir(a.Parent()), Name: a.Name()}, nil
	}
	n, err := hub.Parse(name)
	if err != nil {
		return checkpoint.Place{}, err
	}
	dir, err := far.hub.Open(context.Background(), n)
	if err != nil || n.Path == "" {
		return checkpoint.Place{Dir: dir}, err
	}
	place, err := below(dir, n.Path)
	if err != nil {
		dir.Close()
		return place, fmt.Errorf("%s: %w", source.Printable(name), err)
	}
	return place, nil
}

// below is the file or directory at a path of a directory.
func below(dir source.Dir, name string) (place checkpoint.Place, err error) {
	nested, ok := dir.(source.Nested)
	if !ok {
		return place, fmt.Errorf("it is not a directory of directories")
	}
	if _, err := dir.List(name); err == nil {
		place.Dir, err = nested.Sub(name)
		return place, err
	}
	place.Name = path.Base(name)
	place.Dir = dir
	if up := path.Dir(name); up != "." {
		place.Dir, err = nested.Sub(up)
	}
	return place, err
}

// Notes are remarks on what was opened since they were last asked for.
func (s *Sources) Notes() []string { return s.far().web.Notes() }

// Fetched is how many requests were made for blocks, and the bytes that came.
func (s *Sources) Fetched() (requests, bytes int64) { return s.far().web.Cache().Fetched() }
