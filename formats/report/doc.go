// Package report writes a page on a plan: what its sources hold, by prefix and by dtype,
// every tensor, what is tied, hidden or left out and why, what the pickles would do, and
// everything that is not a tensor. The page is one file that asks for nothing else, is
// readable without JavaScript, and reads no tensor; with Stats it tells of their values too.
//
// All that comes from a file is escaped by html/template, cut where it is long, and has no
// character that could change the direction or the look of what follows it. The page's own
// style and script are allowed by their hashes alone (Content-Security-Policy).
package report
