package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
	"wfs/formats/quantity"

	"github.com/spf13/pflag"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// ProgressOptions are the flags of commands that take as long as a model is large.
type ProgressOptions struct {
	Progress, NoProgress bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *ProgressOptions) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Progress, "progress", o.Progress, "show progress although stderr is not a terminal, a line every five seconds")
	flags.BoolVar(&o.NoProgress, "no-progress", o.NoProgress, "show no progress on a terminal")
}

// Validate checks the flags.
func (o *ProgressOptions) Validate() error {
	if o.Progress && o.NoProgress {
		return usagef("--progress and --no-progress contradict each other")
	}
	return nil
}

// isTerminal reports whether somebody looks at what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const (
	// progressDelay is how long a command may take before its progress is of interest.
	progressDelay = 300 * time.Millisecond
	progressLine  = 5 * time.Second
)

// progress tells how much of a number of bytes is done: by a bar on a terminal, by lines
// elsewhere where they are wanted. Its nil is silent.
type progress struct {
	total int64
	done  atomic.Int64
	began time.Time
	bars  *mpb.Progress
	bar   *mpb.Bar
	end   chan struct{} // of the lines
}

// startProgress begins to tell of total bytes. what is one word for what is done to them.
func (a *app) startProgress(o ProgressOptions, what string, total int64) *progress {
	p := &progress{total: total, began: time.Now()}
	switch {
	case o.NoProgress:
		return nil
	case isTerminal(a.stderr):
		p.drawBar(a.stderr, what)
	case o.Progress:
		p.end = make(chan struct{})
		go p.printLines(a.stderr, what)
	default:
		return nil
	}
	return p
}

// add tells of n bytes more.
func (p *progress) add(n int64) {
	if p == nil {
		return
	}
	p.done.Add(n)
	if p.bar != nil {
		p.bar.IncrInt64(n)
	}
}

// stop ends it. A bar that is not full is taken away.
func (p *progress) stop() {
	switch {
	case p == nil:
	case p.bars != nil:
		p.bar.Abort(true) // of one that is complete it does nothing
		p.bars.Wait()
	default:
		close(p.end)
	}
}

// drawBar draws a bar that is gone when it is full: what was done is what is there then.
func (p *progress) drawBar(w io.Writer, what string) {
	delay := make(chan any)
	time.AfterFunc(progressDelay, func() { close(delay) })
	p.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRenderDelay(delay))
	// One byte is kept back, so that it is not full before what comes after the last byte
	// (to have everything on the device) is done.
	p.bar = p.bars.New(p.total+1, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + p.text() })))
}

// printLines prints where it stands from time to time.
func (p *progress) printLines(w io.Writer, what string) {
	tick := time.NewTicker(progressLine)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(w, "wfs: %s %s\n", what, p.text())
		case <-p.end:
			return
		}
	}
}

// text is how far it is, how fast, and how long it will take.
func (p *progress) text() string {
	done, took := p.done.Load(), time.Since(p.began)
	percent := int64(100)
	if p.total > 0 {
		percent = int64(100 * float64(done) / float64(p.total))
	}
	text := fmt.Sprintf("%3d%% of %s", percent, quantity.Bytes(p.total))
	switch {
	case done >= p.total:
		return text + ", finishing" // what is not yet on the device
	case done == 0 || took < progressDelay:
		return text
	}
	rate := float64(done) / took.Seconds()
	text += fmt.Sprintf(", %s/s", quantity.Bytes(int64(rate)))
	left := float64(p.total-done) / rate * float64(time.Second)
	return text + ", " + shortDuration(time.Duration(left)) + " left"
}

// shortDuration is a time as it is said: 8s, 2m05s, 3h10m.
func shortDuration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}
