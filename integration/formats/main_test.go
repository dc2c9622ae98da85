package formats

import (
	"testing"

	"wfs/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m, harness.Torch, harness.Keras) }
