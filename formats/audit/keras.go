package audit

import (
	"wfs/formats/checkpoint"
	"wfs/formats/keras"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// configuration reports on a text that may be the configuration of a model of Keras.
func (s *scanner) configuration(data segment.Data, name string, depth int) {
	s.findings(keras.Configuration(place(name), data), name, depth)
}

// findings takes in what the configurations of Keras would do, and looks into what they hold
// for torch.load.
func (s *scanner) findings(found []keras.Finding, name string, depth int) {
	for _, f := range found {
		s.note("%s", f.Text)
		if f.RunsCode {
			s.verdict = Dangerous
		}
		if f.Payload != nil {
			title := "module in the configuration"
			if name != "" {
				title = inside(name, "%s", title)
			}
			s.lookInside(segment.Literal(f.Payload), title, depth+1, asPickle)
		}
	}
}

// isHDF5 reports whether bytes are HDF5. One that stands after a user block is looked for in
// a file only.
func isHDF5(data segment.Data, head []byte, how how) bool {
	match := keras.DetectHDF5(head, data)
	return match == checkpoint.Certain || match == checkpoint.Possible && how == asFile
}

// hdf5 reports on the texts and bytes in an HDF5 file, and on its configurations.
func (s *scanner) hdf5(data segment.Data, name string, depth int) error {
	found, err := keras.Inspect(data, func(where string, text segment.Data) {
		if name != "" {
			where = inside(name, "%s", where)
		}
		s.payloads(text, pickle.Readings(text), shorten(where), depth)
	})
	if err != nil {
		return err
	}
	s.findings(found.Findings, name, depth)
	for _, unread := range found.Unread {
		s.note("%s%s", prefix(name), unread)
	}
	return nil
}
