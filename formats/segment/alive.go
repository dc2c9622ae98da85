package segment

import (
	"context"
	"time"
)

type aliveKey struct{}

// WithAlive has alive called by reads of ctx that take long, and go on. A source that hangs
// does not; to compute the sums of a whole model before its first byte does.
func WithAlive(ctx context.Context, alive func()) context.Context {
	return context.WithValue(ctx, aliveKey{}, alive)
}

// Alive tells whoever waits for a read of ctx that it goes on.
func Alive(ctx context.Context) {
	if alive, ok := ctx.Value(aliveKey{}).(func()); ok {
		alive()
	}
}

// turnInterval is how often one who waits for a turn looks after who has it.
const turnInterval = time.Second

// Turn waits until busy, which has room for one, has taken it, or until ctx is done; who
// had the turn receives from busy at its end. While progress, of the one who has it, grows,
// the one who waits is alive.
func Turn(ctx context.Context, busy chan struct{}, progress func() int64) error {
	look := time.NewTicker(turnInterval)
	defer look.Stop()
	for last := progress(); ; {
		select {
		case busy <- struct{}{}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
		if now := progress(); now != last {
			last = now
			Alive(ctx)
		}
	}
}
