// Package hub reads repositories of the Hugging Face Hub, and of what speaks its protocol.
//
// A repository is pinned when it is opened: its revision becomes a commit, and all that is asked
// for after that is of the commit (huggingface_hub/file_download.py, hf_api.py). Its files are
// listed by the Hub's API and opened without a request: of each the size and the hash are known.
// What huggingface_hub has downloaded is read from its cache, which is never written to.
package hub

const scheme = "hf://"
