package torch

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"

	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/zip"
)

func (r *scanner) add(streams []pickle.Stream) {
	for _, s := range streams {
		r.Verdict = max(r.Verdict, s.Verdict)
		r.Pickles = append(r.Pickles, s)
	}
}

func (r *scanner) note(format string, args ...any) {
	if len(r.Container) < maxContainerNotes {
		r.Container = append(r.Container, fmt.Sprintf(format, args...))
		r.Verdict = max(r.Verdict, pickle.Unknown)
	}
}

const (
	maxContainerNotes = 1000
	maxNestedArchives = 4
)

// Scan reports on every pickle in a file: all records of a zip that begin like
// one, whatever their names, all streams of a legacy file, the members of a tar, and
// what is nested in their bytes.
// name stands at its head.
func Scan(file segment.Data, name string) (*pickle.Report, error) {
	r := &scanner{pickle.Report{File: name, Pickles: []pickle.Stream{}}}
	err := r.scan(file, "", 0)
	return &r.Report, err
}

// scanner fills a report.
type scanner struct{ pickle.Report }

func (r *scanner) scan(file segment.Data, name string, depth int) error {
	switch {
	case depth > maxNestedArchives:
		r.note("%s: archives are nested more than %d deep", name, maxNestedArchives)
		return nil
	case isZip(file):
		return r.scanZip(file, name, depth)
	case isTar(file):
		return r.scanTar(file, name, depth)
	}
	label := name
	if label == "" {
		label = "pickle"
	}
	first, err := pickle.Load(file, 0, file.Size(), pickle.Options{})
	if err == nil && isLegacyMagic(first.Value) {
		r.scanLegacy(file, label, first.End)
		return nil
	}
	r.add(pickle.ScanAll(file, 0, file.Size(), label))
	return nil
}

// scanLegacy reports on the five pickles of a legacy file. Storages follow them.
func (r *scanner) scanLegacy(file segment.Data, label string, start int64) {
	end := start
	for n := 2; n <= 5; n++ {
		streams, next := pickle.Scan(file, end, file.Size(), fmt.Sprintf("%s %d of 5", label, n))
		r.add(streams)
		if next <= end {
			return
		}
		end = next
	}
	if _, _, tail, err := readLegacy(&stream{file: file, at: start}); err == nil && tail < file.Size() {
		r.note("%d bytes follow the last storage", file.Size()-tail)
		r.scanTail(file, tail, label)
	}
}

// scanTail looks for pickles behind what the reader reads.
func (r *scanner) scanTail(file segment.Data, at int64, label string) {
	var head [64]byte
	n, _ := file.ReadAt(head[:min(int64(len(head)), file.Size()-at)], at)
	if pickle.LooksLikePickle(head[:n]) {
		r.add(pickle.ScanAll(file, at, file.Size(), label+", behind its end"))
	}
}

func (r *scanner) scanZip(file segment.Data, prefix string, depth int) error {
	z, err := zip.Open(file, file.Size())
	if err != nil {
		return err
	}
	if z.Trailing > 0 {
		r.note("%s%d bytes follow the end of the zip", prefix, z.Trailing)
	}
	seen := map[string]string{}
	for i := range z.Records {
		rec := &z.Records[i]
		for _, a := range z.Anomalies(rec) {
			r.note("%s%s", prefix, a)
		}
		lower := strings.ToLower(rec.Name)
		if other, dup := seen[lower]; dup {
			r.note("%srecords %q and %q: readers disagree on which one counts", prefix, other, rec.Name)
		}
		seen[lower] = rec.Name
		data, err := z.Data(rec)
		if err != nil {
			if strings.HasSuffix(lower, ".pkl") {
				r.note("%s%v", prefix, err)
			}
			continue
		}
		r.scanMember(data, prefix+rec.Name, depth)
	}
	return nil
}

// scanMember scans a record or member that is named like a pickle or begins like one.
func (r *scanner) scanMember(data segment.Data, name string, depth int) {
	head := make([]byte, min(512, data.Size()))
	n, _ := data.ReadAt(head, 0)
	head = head[:n]
	named := strings.HasSuffix(strings.ToLower(name), ".pkl") || strings.HasSuffix(strings.ToLower(name), ".pickle")
	switch {
	case strings.HasPrefix(string(head), zip.Magic):
		if err := r.scan(data, name+"/", depth+1); err != nil {
			r.note("%s: %v", name, err)
		}
	case named:
		r.add(pickle.ScanAll(data, 0, data.Size(), name))
	case pickle.LooksLikePickle(head) && plausible(data):
		r.add(pickle.ScanAll(data, 0, data.Size(), name))
	}
}

// plausible keeps a storage whose first bytes happen to look like a pickle out of
// the report: what cannot be read up to a STOP and names nothing is data.
func plausible(data segment.Data) bool {
	res, err := pickle.Load(data, 0, data.Size(), pickle.Options{MaxMemory: 64 << 20})
	return err == nil || len(res.Globals) > 0
}

func (r *scanner) scanTar(file segment.Data, prefix string, depth int) error {
	in := io.NewSectionReader(file, 0, file.Size())
	archive := tar.NewReader(in)
	for n := 0; n < maxTarMembers; n++ {
		h, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			r.note("%star: %v", prefix, err)
			return nil
		}
		at, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			r.note("%smember %q is no regular file", prefix, h.Name)
			continue
		}
		if h.Size > file.Size()-at {
			continue
		}
		r.scanTarMember(&segment.Range{Src: file, Off: at, N: h.Size}, prefix+h.Name, depth)
	}
	r.note("%star has more than %d members", prefix, maxTarMembers)
	return nil
}

// scanTarMember scans pickles between which raw numbers lie: storages and tensors
// are walked as their reader does, everything else as any other member.
func (r *scanner) scanTarMember(data segment.Data, name string, depth int) {
	s := &stream{file: data}
	old := &oldTensors{storages: map[int64]*storage{}, tensors: map[int64]*array{}}
	s.visit = func(off int64) {
		streams, _ := pickle.Scan(data, off, data.Size(), fmt.Sprintf("%s at %d", name, off))
		if streams[0].Verdict > pickle.Allowed || len(r.Pickles) < maxContainerNotes {
			r.add(streams)
		}
	}
	switch name {
	case "storages":
		if err := old.readStorages(s); err != nil {
			r.note("member storages: %v", err)
		}
	case "tensors":
		// its storages are elsewhere, so only the pickles in it are walked
		r.add(pickle.ScanAll(data, 0, data.Size(), name))
	default:
		head := make([]byte, min(512, data.Size()))
		n, _ := data.ReadAt(head, 0)
		if pickle.LooksLikePickle(head[:n]) {
			r.add(pickle.ScanAll(data, 0, data.Size(), name))
			return
		}
		r.scanMember(data, name, depth)
	}
}
