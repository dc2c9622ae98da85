package faults

import (
	"testing"

	"wfs/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
