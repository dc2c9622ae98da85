package hub

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Name is what hf://… names.
type Name struct {
	kind     string // models, datasets or spaces
	repo     string // ORG/NAME
	revision string // "main" where none is named
	Path     string // below the repository, "" for all of it
	given    string // as the user wrote it, without Path
}

// special are revisions with slashes (huggingface_hub/hf_file_system.py, SPECIAL_REFS_REVISION_REGEX).
var special = regexp.MustCompile(`^(refs/(?:convert/\w+|pr/\d+))(?:/|$)(.*)`)

// word is a part of a repository's name, of maxWord bytes at most (utils/_validators.py,
// validate_repo_id). A pattern that counted them would take long to compile, at each start.
var word = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

const maxWord = 96

// IsWord reports whether clients of the Hub take s for a part of a repository's name, that of an
// organization or that below it, but for what they take for separators.
func IsWord(s string) bool { return len(s) <= maxWord && word.MatchString(s) }

// IsName reports whether a source is one of the Hub.
func IsName(s string) bool { return strings.HasPrefix(s, scheme) }

// Parse reads hf://[datasets/]ORG/NAME[@REVISION][/PATH]. A slash in a revision is %2F.
func Parse(s string) (n Name, err error) {
	fail := func() (Name, error) {
		return n, fmt.Errorf("%.200q is not of the form hf://ORG/NAME[@REVISION][/FILE], or hf://datasets/ORG/NAME…", s)
	}
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return fail()
	}
	n.kind = "models"
	for _, kind := range []string{"models", "datasets", "spaces"} {
		if below, ok := strings.CutPrefix(rest, kind+"/"); ok {
			n.kind, rest = kind, below
			break
		}
	}
	org, rest, two := strings.Cut(strings.TrimRight(rest, "/"), "/")
	if !two { // a repository of the Hub's first days: gpt2
		org, rest = "", org
	}
	repo, after, revised := strings.Cut(rest, "@")
	if name, below, ok := strings.Cut(repo, "/"); ok { // the @ is in the path
		repo, after, revised, n.Path = name, "", false, below+strings.TrimPrefix(rest, repo)
	}
	n.revision = "main"
	if revised {
		if m := special.FindStringSubmatch(after); m != nil {
			n.revision, n.Path = m[1], m[2]
		} else if n.revision, n.Path, _ = strings.Cut(after, "/"); n.revision == "" {
			return fail()
		}
		if n.revision, err = url.PathUnescape(n.revision); err != nil {
			return fail()
		}
	}
	if n.repo = repo; two {
		n.repo = org + "/" + repo
	}
	if two && !IsWord(org) || !IsWord(repo) || strings.Contains(n.repo, "..") || strings.Contains(n.repo, "--") {
		return fail()
	}
	if n.Path != "" && (path.Clean("/"+n.Path) != "/"+n.Path) {
		return fail()
	}
	n.given = strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(s, "/"), n.Path), "/")
	return n, nil
}

// folder is the repository in the cache of huggingface_hub.
func (n Name) folder() string { return n.kind + "--" + strings.ReplaceAll(n.repo, "/", "--") }

// api is the path of the API for the repository.
func (n Name) api() string { return "/api/" + n.kind + "/" + n.repo }

// resolve is the path of a file at a commit.
func (n Name) resolve(commit, file string) string {
	prefix := ""
	if n.kind != "models" {
		prefix = "/" + n.kind
	}
	return prefix + "/" + n.repo + "/resolve/" + commit + "/" + file
}
