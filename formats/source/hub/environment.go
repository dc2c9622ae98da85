package hub

import (
	"os"
	"path/filepath"
	"strings"
)

// Environment is what the variables of huggingface_hub say (constants.py, utils/_auth.py).
type Environment struct {
	Endpoint string // without a slash at its end
	token    string
	Offline  bool
	Cache    string // the directory of the repositories that were downloaded
}

// FromEnvironment reads the variables, by getenv, and the file of the token.
func FromEnvironment(getenv func(string) string) Environment {
	first := func(names ...string) string {
		for _, name := range names {
			if v := getenv(name); v != "" {
				return v
			}
		}
		return ""
	}
	home := first("HF_HOME")
	if home == "" {
		cache := first("XDG_CACHE_HOME")
		if cache == "" {
			user, _ := os.UserHomeDir()
			cache = filepath.Join(user, ".cache")
		}
		home = filepath.Join(cache, "huggingface")
	}
	e := Environment{Endpoint: strings.TrimRight(first("HF_ENDPOINT"), "/"), Cache: first("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")}
	if e.Endpoint == "" {
		e.Endpoint = "https://huggingface.co"
	}
	if e.Cache == "" {
		e.Cache = filepath.Join(home, "hub")
	}
	e.Offline = isTrue(first("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
	e.token = first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
	if e.token == "" && !isTrue(first("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		path := first("HF_TOKEN_PATH")
		if path == "" {
			path = filepath.Join(home, "token")
		}
		if text, err := os.ReadFile(path); err == nil && len(text) < 4096 {
			e.token = string(text)
		}
	}
	e.token = strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(e.token))
	return e
}

// isTrue is huggingface_hub's _is_true.
func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}
