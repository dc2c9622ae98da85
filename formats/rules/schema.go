package rules

import _ "embed"

//go:embed schema.json
var schema string

// Schema is the JSON schema of a file of rules, for editors that know TOML (draft 7, which
// taplo reads).
func Schema() string { return schema }
