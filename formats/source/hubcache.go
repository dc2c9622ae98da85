package source

import (
	"path"
	"regexp"
	"strings"
)

// The Hub's cache keeps the files of a repository once, in blobs/, and has links to them
// in snapshots/REVISION/ (huggingface_hub/file_download.py, _create_symlink):
//
//	models--openai--gpt2/blobs/248dfc39…
//	models--openai--gpt2/snapshots/607a30d7…/model.safetensors → ../../blobs/248dfc39…
//
// Older versions of it left such links in other directories too, for --local-dir. They are
// the only ones that may leave a directory: what they lead to came from the Hub.

var (
	repository = regexp.MustCompile(`^(models|datasets|spaces|kernels)--.`)
	blobName   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// ofTheHub reports whether the file target, which a link of the directory base leads to,
// is one of the Hub's cache: in the blobs beside the snapshot that base is a part of, or
// in any repository whose names are those of a cache. Both paths have slashes.
func ofTheHub(base, target string) bool {
	if at := strings.LastIndex(base+"/", "/snapshots/"); at >= 0 {
		repo := base[:at]
		if path.Dir(target) == path.Join(repo, "blobs") {
			return true
		}
	}
	parts := strings.Split(target, "/")
	for i, part := range parts {
		if !repository.MatchString(part) {
			continue
		}
		switch rest := parts[i+1:]; {
		case len(rest) == 2 && rest[0] == "blobs" && blobName.MatchString(rest[1]):
			return true
		case len(rest) > 2 && rest[0] == "snapshots": // where links are not to be had, the file itself lies there
			return true
		}
	}
	return false
}
