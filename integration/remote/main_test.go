// Package remote reads sources of real web servers, nginx and Caddy, and of a Hub made of them.
package remote

import (
	"testing"

	"wfs/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m, harness.Torch) }
