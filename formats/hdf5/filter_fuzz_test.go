package hdf5

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzFilter undoes a filter with whatever parameters and data it is given. The seeds
// are chunks of a real file.
func FuzzFilter(f *testing.F) {
	b := fixture(f, "filters.h5")
	file := open(f, b)
	if err := file.Walk(func(path string, obj Object) error {
		d, ok := obj.(*Dataset)
		if !ok || len(d.filters) == 0 || d.layout.addr == undefined {
			return nil
		}
		x, err := d.chunks()
		if err != nil {
			return err
		}
		for _, e := range x.entries[:min(2, len(x.entries))] {
			steps, _, _ := d.steps(e.mask, int(d.layout.chunkBytes))
			if len(steps) == 0 {
				continue
			}
			last := steps[len(steps)-1]
			var client []byte
			for _, v := range last.client {
				client = binary.LittleEndian.AppendUint32(client, v)
			}
			stored := make([]byte, e.size)
			if err := d.readStored(stored, e, 0); err != nil {
				return err
			}
			f.Add(last.id, client, uint32(d.layout.chunkBytes), stored)
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id uint16, client []byte, chunk uint32, src []byte) {
		fl := filter{id: id}
		for ; len(client) >= 4 && len(fl.client) < 1<<12; client = client[4:] {
			fl.client = append(fl.client, binary.LittleEndian.Uint32(client))
		}
		chunk %= 1 << 20
		fl.prepare()
		for _, known := range []bool{true, false} {
			s := step{&fl, int(chunk), known}
			if s.unsupported(uint64(chunk)) != "" || plausible([]step{s}, uint64(len(src))) != "" || fl.id == filterFletcher32 || s.idle() {
				continue
			}
			n, ok := s.gives(src)
			if !ok || n > s.size {
				continue
			}
			start := processorTime(t)
			fl.undo(make([]byte, n), src, 4)
			if took := processorTime(t) - start; took > 2*time.Second {
				t.Errorf("filter %d with %d: %d bytes of %d take %v", id, fl.client, n, len(src), took)
			}
		}
	})
}
