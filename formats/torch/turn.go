package torch

import (
	"errors"
	"sync"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// turn is when a file may take memory. The shards of a directory are opened several at once;
// what one of them may take by the bounds of a pickle is for one at a time, and most take
// next to nothing. The zero value is for a file that no other is opened beside.
type turn struct {
	files *sync.RWMutex // read-locked by those that take little
	alone bool
}

// A pickle of smallPickle bytes, hundreds of tensors for a shard of gigabytes, usually takes
// less than smallMemory.
const (
	smallPickle = 256 << 10
	smallMemory = 24 << 20
)

// begin waits for those that need the memory for themselves.
func begin(files *sync.RWMutex) *turn {
	files.RLock()
	return &turn{files: files}
}

// large waits until no other file is opened.
func (t *turn) large() {
	if t.files != nil && !t.alone {
		t.files.RUnlock()
		t.files.Lock()
		t.alone = true
	}
}

// end lets others go on.
func (t *turn) end() {
	switch {
	case t.files == nil:
	case t.alone:
		t.files.Unlock()
	default:
		t.files.RUnlock()
	}
}

// pickle loads a whole record.
func (t *turn) pickle(data segment.Data, opt pickle.Options) (*pickle.Result, error) {
	if t.files != nil && !t.alone && data.Size() <= smallPickle {
		small := opt
		small.MaxMemory = smallMemory
		res, err := pickle.Load(data, 0, data.Size(), small)
		if limit := (*pickle.LimitError)(nil); !errors.As(err, &limit) {
			return res, err
		}
	}
	t.large()
	return pickle.Load(data, 0, data.Size(), opt)
}
