package main

import (
	"os"
	"os/signal"
	"syscall"
)

// endings is a channel for the signals that ask to end. What nohup(1), or a shell that
// runs wfs in the background, has it ignore stays ignored.
func endings() chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}
