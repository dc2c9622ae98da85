// Package blocks reads bytes that are far away, and keeps them: in memory, and on the disk for
// the next time and for other processes.
//
// # How a byte travels
//
// A [File] is a source.Source whose bytes come from a [Remote] in runs of blocks of 256 KiB.
// What is asked for is looked up in the memory of the [Cache], then joins the blocks that are
// under way already, and else is queued (file.go). Runs of neighbours leave the queue as one
// request each, what somebody waits for before what will be wanted (queue.go). A run that is
// cut goes on where it was cut, after a pause, until nothing has come for a time (flight.go).
// Blocks come up to whoever waits for them one by one, and go to the disk (slab.go).
//
// Whoever reads here and there gets the blocks of what is read, and no other: two of them at
// most are cut. Whoever reads on gets a window that grows to a quarter of what was read
// (window.go), and whoever knows what comes next says so with Prefetch.
package blocks

// Size is the bytes of a block. All but the last of a file are of this size. Of one that is read
// in part at both ends, less than 512 KiB is fetched in vain.
const Size = 256 << 10

// count is the number of blocks of n bytes.
func count(n int64) int64 { return (n + Size - 1) / Size }
