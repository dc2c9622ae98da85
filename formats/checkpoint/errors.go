package checkpoint

import "errors"

// Classes of failure that a command tells apart by errors.Is.
var (
	// ErrUnknownFormat says that no reader knows the file.
	ErrUnknownFormat = errors.New("not a weight file that wfs knows")
	// ErrCorrupt says that the file breaks the rules of its own format.
	ErrCorrupt = errors.New("damaged")
)
