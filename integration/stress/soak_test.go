package stress

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wfs/integration/harness"
)

// soakTime is SOAK minutes, or a few seconds.
func soakTime(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return 10 * time.Second
	}
	minutes, err := strconv.ParseFloat(text, 64)
	harness.Must(t, err)
	return time.Duration(minutes * float64(time.Minute))
}

// TestSoak has 16 workers read mounts of five formats in every way, and compares each
// byte with what torch, numpy and h5py wrote. `make soak SOAK=30` does it for half an
// hour.
func TestSoak(t *testing.T) {
	const workers = 16
	duration := soakTime(t)
	var models []*soakModel
	dir := t.TempDir()
	for env, script := range map[string]string{"torch": "write_soak_torch.py", "keras": "write_soak_hdf5.py"} {
		var written []*soakModel
		harness.Python(t, env, script, nil, &written, dir)
		models = append(models, written...)
	}
	if len(models) != 5 {
		t.Fatalf("%d sources were written", len(models))
	}
	var targets []*target
	for _, m := range models {
		m.Mounted = harness.MountAt(t, m.Source, harness.Mountpoint(t))
		targets = append(targets, m.targets(t)...)
	}
	watch := watchDaemons(t, models)
	var ops, bytes atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(duration)
	seed := uint64(time.Now().UnixNano())
	for i := range workers {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for time.Now().Before(end) && !t.Failed() {
				use := uses[rng.IntN(len(uses))]
				at := targets[rng.IntN(len(targets))]
				n, err := use.do(at, rng)
				if err != nil {
					t.Errorf("seed %d, worker %d: %s of %s: %v", seed, i, use.name, at.path, err)
				}
				ops.Add(1)
				bytes.Add(int64(n))
			}
		})
	}
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	watch.until(t, finished, duration+2*time.Minute)
	watch.judge(t)
	t.Logf("%v, %d files, %d operations, %.1f GiB compared\n%s", duration, len(targets), ops.Load(), float64(bytes.Load())/(1<<30), watch)
	if ops.Load() < workers {
		t.Error("nothing was done")
	}
}

// daemonWatch is what the daemons hold in the course of a soak.
type daemonWatch struct {
	models []*soakModel
	first  []int     // descriptors of each daemon before
	memory [][]int64 // resident bytes of each daemon, by time
}

func watchDaemons(t *testing.T, models []*soakModel) *daemonWatch {
	w := &daemonWatch{models: models, memory: make([][]int64, len(models))}
	for _, m := range models {
		w.first = append(w.first, harness.Descriptors(t, m.PID))
	}
	return w
}

// until samples until the workers have ended.
func (w *daemonWatch) until(t *testing.T, finished <-chan struct{}, limit time.Duration) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(limit)
	for {
		select {
		case <-finished:
			return
		case <-timeout:
			t.Fatal("the workers hang")
		case <-tick.C:
			for i, m := range w.models {
				w.memory[i] = append(w.memory[i], harness.Memory(t, m.PID, "VmRSS"))
			}
		}
	}
}

// judge checks that memory and descriptors are flat: the last third of the time is no
// higher than the middle one, but for the buffers of a burst of requests.
func (w *daemonWatch) judge(t *testing.T) {
	const burst = 32 << 20
	for i, m := range w.models {
		samples := w.memory[i]
		n := len(samples)
		if n < 6 {
			t.Errorf("%s: %d samples", m.Name, n)
			continue
		}
		middle, last := slices.Max(samples[n/3:2*n/3]), slices.Max(samples[2*n/3:])
		if limit := middle*5/4 + burst; last > limit && !harness.RaceBuild() {
			t.Errorf("%s: the daemon's memory grows: %d MiB, then %d MiB", m.Name, middle>>20, last>>20)
		}
		if !harness.Eventually(30*time.Second, func() bool { return harness.Descriptors(t, m.PID) <= w.first[i] }) {
			t.Errorf("%s: the daemon has %d descriptors, and had %d", m.Name, harness.Descriptors(t, m.PID), w.first[i])
		}
	}
}

// String tells each daemon's memory at ten points of time.
func (w *daemonWatch) String() string {
	text := ""
	for i, m := range w.models {
		text += fmt.Sprintf("%-9s %d descriptors; resident MiB:", m.Name, w.first[i])
		for k := range 10 {
			text += fmt.Sprintf(" %d", w.memory[i][k*(len(w.memory[i])-1)/9]>>20)
		}
		text += "\n"
	}
	return text
}
