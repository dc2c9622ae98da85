// Package http reads files of web servers by ranges.
//
// A file is pinned when it is opened, to its strong ETag or to the time that it was modified and
// its size, and each answer is checked against that: the range, the length of the whole, the
// encoding. A server that cannot be trusted with ranges is refused and not read as a whole.
// Redirects are followed here, so that credentials go to the host that they are for, and an
// address that expires is asked for again.
package http
