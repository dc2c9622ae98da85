package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"wfs/formats/source/hub"
)

// The Hub's protocol, as huggingface_hub speaks it (file_download.py, get_hf_file_metadata;
// hf_api.py, model_info, list_repo_tree, get_paths_info).

// IsRepositoryName reports whether clients of the Hub can name a repository so
// (utils/_validators.py, validate_repo_id).
func IsRepositoryName(name string) bool {
	return hub.IsWord(name) && !strings.Contains(name, "--") && !strings.Contains(name, "..") && !strings.HasSuffix(name, ".git")
}

func (s *site) hasRepository() bool { return IsRepositoryName(s.Name) }

// hubError is an error as clients of the Hub understand it. Other clients read its text.
func hubError(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": message})
}

func (h *Handler) noRepository(w http.ResponseWriter) {
	hubError(w, http.StatusNotFound, "RepoNotFound", "Repository not found: wfs serve has those of "+namespace+"/, and / lists them")
}

// at is the site of a repository at a revision; where there is none it has answered.
func (h *Handler) at(w http.ResponseWriter, name, revision string) *site {
	s := h.byName[name]
	switch {
	case s == nil:
		h.noRepository(w)
		return nil
	case revision != "main" && revision != "refs/heads/main" && revision != s.commit:
		hubError(w, http.StatusNotFound, "RevisionNotFound", "Revision not found: the one there is is main, commit "+s.commit)
		return nil
	}
	return s
}

// repository is what lies below /local/: NAME/resolve/REVISION/FILE, and pages that a person
// may look for, which the tree stands for.
func (h *Handler) repository(w *writer, r *http.Request, parts []string) {
	switch {
	case len(parts) > 2 && (parts[1] == "resolve" || parts[1] == "raw"):
		if s := h.at(w, parts[0], parts[2]); s != nil {
			h.resolve(w, r, s, below(parts[3:]))
		}
	case len(parts) > 0 && h.byName[parts[0]] != nil:
		http.Redirect(w, r, join(parts[0])+"/", http.StatusFound)
	default:
		h.noRepository(w)
	}
}

// resolve sends a file of a repository.
func (h *Handler) resolve(w *writer, r *http.Request, s *site, name string) {
	w.Header().Set("X-Repo-Commit", s.commit) // also where there is no such file, so that this is cached
	node, ok := s.Repository.Find(name)
	if !ok || node.File == nil {
		hubError(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	w.Header().Set("X-Linked-Etag", `"`+s.etag(name, node.File)+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(node.File.Size()))
	base := path.Base(name)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`inline; filename*=UTF-8''%s; filename="%s";`, strings.TrimPrefix(join(base), "/"), quotable(base)))
	h.file(w, r, s, s.Repository, name, node.File)
}

// quotable is a name for a quoted string of a header.
func quotable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
}

// api is what lies below /api/.
func (h *Handler) api(w *writer, r *http.Request, parts []string) {
	switch {
	case len(parts) == 1 && parts[0] == "models":
		h.models(w, r)
		return
	case len(parts) < 3 || parts[0] != "models" || parts[1] != namespace:
		h.noRepository(w)
		return
	}
	name, what, rest := parts[2], "", parts[3:]
	if len(rest) > 0 {
		what, rest = rest[0], rest[1:]
	}
	revision := "main"
	if len(rest) > 0 && what != "safetensors-metadata" {
		revision, rest = rest[0], rest[1:]
	}
	s := h.at(w, name, revision)
	if s == nil {
		return
	}
	w.Header().Set("X-Repo-Commit", s.commit)
	switch what {
	case "", "revision":
		answer(w, s.info(isTrue(r.URL.Query().Get("blobs"))))
	case "refs":
		none := []any{}
		answer(w, map[string]any{
			"branches": []any{map[string]string{"name": "main", "ref": "refs/heads/main", "targetCommit": s.commit}},
			"tags":     none, "converts": none, "pullRequests": none,
		})
	case "commits":
		answer(w, []any{map[string]any{
			"id": s.commit, "title": commitTitle, "message": "", "date": stamp(s.Tree.ModTime), "authors": []any{},
		}})
	case "tree":
		h.listTree(w, r, s, strings.Join(rest, "/"))
	case "paths-info":
		h.pathsInfo(w, r, s)
	case "safetensors-metadata":
		h.safetensorsMetadata(w, r, s, below(rest))
	default:
		hubError(w, http.StatusNotFound, "", "wfs serve does not have this part of the Hub's API")
	}
}

const commitTitle = "as wfs serve shows it"

// models lists the repositories (hf_api.py, list_models).
func (h *Handler) models(w http.ResponseWriter, r *http.Request) {
	all := []any{}
	author, search := r.URL.Query().Get("author"), strings.ToLower(r.URL.Query().Get("search"))
	for _, s := range h.sites {
		id := namespace + "/" + s.Name
		if s.hasRepository() && (author == "" || author == namespace) && strings.Contains(strings.ToLower(id), search) {
			all = append(all, s.info(false))
		}
	}
	answer(w, all)
}

// sibling is a file in the answer of info.
type sibling struct {
	Name string `json:"rfilename"`
	Size *int64 `json:"size,omitempty"`
	Blob string `json:"blobId,omitempty"`
}

// info is what the Hub tells of a model.
func (s *site) info(blobs bool) map[string]any {
	siblings := []sibling{}
	for _, e := range s.entries {
		if e.File == nil {
			continue
		}
		f := sibling{Name: e.path}
		if blobs {
			size := e.File.Size()
			f.Size, f.Blob = &size, s.etag(e.path, e.File)
		}
		siblings = append(siblings, f)
	}
	parameters, total := map[string]int64{}, int64(0)
	for _, set := range s.Plan.Sets {
		for _, f := range set.Files {
			for _, e := range f.Entries {
				n := int64(1)
				for _, dim := range e.Shape {
					n *= dim
				}
				parameters[e.DType.String()] += n
				total += n
			}
		}
	}
	id := namespace + "/" + s.Name
	return map[string]any{
		"_id": s.commit[:24], "id": id, "modelId": id, "author": namespace, "sha": s.commit, "private": false, "gated": false, "disabled": false,
		"downloads": 0, "likes": 0, "tags": []string{"safetensors"}, "lastModified": stamp(s.Tree.ModTime), "createdAt": stamp(s.Tree.ModTime),
		"siblings": siblings, "safetensors": map[string]any{"parameters": parameters, "total": total},
	}
}

// stamp is a time as the Hub writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func isTrue(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
