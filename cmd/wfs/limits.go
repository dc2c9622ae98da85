package main

import (
	"runtime"
	"runtime/debug"
)

// collectLate lets the heap grow while headers are read: collecting early costs a third of
// the time. The limit is soft, and keeps hostile files from using the freedom. It leaves the
// process below 200 MiB with a file of 200 000 tensors, which takes 120 of them.
func collectLate() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(184 << 20)
}

// roomToServe is what serving may take beyond what the tree takes: decoded chunks (64 MiB
// at most) or bands of transposed tensors (128 MiB), the buffers of requests, and garbage.
// With less, a full cache keeps the collector busy: with 64 MiB a compressed dataset takes
// 1.6 times as long to read.
const roomToServe = 192 << 20

// collectTight is for serving: what reading the headers took goes back to the system,
// and what requests leave behind is collected before the daemon grows by much. The limit
// is soft.
func collectTight() {
	debug.SetGCPercent(25)
	debug.FreeOSMemory()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	debug.SetMemoryLimit(int64(now.Sys-now.HeapReleased) + roomToServe)
}
