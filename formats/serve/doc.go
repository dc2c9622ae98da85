// Package serve shows trees of files over HTTP, and their roots as repositories of a Hub, so
// that clients that cannot mount read the same view: a browser, curl, and by HF_ENDPOINT all
// that loads models through huggingface_hub.
//
//	/                                          the sources
//	/NAME/…                                    the tree of a source, as a mount shows it
//	/local/NAME/resolve/REVISION/FILE          a file of the repository local/NAME
//	/api/models/local/NAME…                    what it holds, as the Hub's API tells it
//
// A repository is the root of the tree (layout hf), and has one revision, "main", whose
// commit is a hash of what the sources were pinned to when they were opened.
//
// # How a byte travels
//
// A request is let in or not (guard.go), and finds a file of the tree by its path (server.go,
// hub.go). net/http works out ranges and conditions; the bytes are read in pieces from the
// tree, which verifies the source after each, and each piece has a minute to be sent
// (steady.go). Where the source was changed the connection is cut: a client sees a short
// answer, and never other bytes.
package serve
