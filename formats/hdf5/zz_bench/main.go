package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
	"wfs/formats/hdf5"
)

func main() {
	if len(os.Args) > 2 {
		pf, _ := os.Create(os.Args[2])
		pprof.StartCPUProfile(pf)
		defer pprof.StopCPUProfile()
	}
	f, _ := os.Open("/tmp/h5/bench.h5")
	st, _ := f.Stat()
	h, err := hdf5.Open(f, st.Size(), hdf5.Options{})
	if err != nil {
		panic(err)
	}
	for _, procs := range []int{1, 2} {
		runtime.GOMAXPROCS(procs)
		for _, n := range []string{"gz", "gzsh", "gz2d", "lzf", "gzq", "raw"} {
			if len(os.Args) > 1 && os.Args[1] != "all" && os.Args[1] != n {
				continue
			}
			o, err := h.Open(n)
			if err != nil {
				panic(err)
			}
			d := o.(*hdf5.Dataset)
			for _, bs := range []int64{64 << 20, 1 << 20, 128 << 10} {
				b := make([]byte, bs)
				t := time.Now()
				for off := int64(0); off < d.Size(); off += bs {
					if _, err := d.ReadAt(b, off); err != nil {
						fmt.Println(err)
						break
					}
				}
				fmt.Printf("procs %d %s block %d: %.0f MiB/s\n", procs, n, bs>>10, float64(d.Size())/time.Since(t).Seconds()/1048576)
			}
		}
	}
}
