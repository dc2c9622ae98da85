package commands

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestLsPipe closes the pipe that a long list goes to: that is no error to speak of.
func TestLsPipe(t *testing.T) {
	var header strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&header, `,"tensor.%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`, i)
	}
	text := "{" + header.String()[1:] + "}"
	source := filepath.Join(t.TempDir(), "long.safetensors")
	length := len(text)
	start := []byte{byte(length), byte(length >> 8), byte(length >> 16), byte(length >> 24), 0, 0, 0, 0}
	harness.Must(t, os.WriteFile(source, append(start, text...), 0o644))
	for _, flags := range []string{"", "--json"} {
		r := harness.Run(t, time.Minute, exec.Command("bash", "-c", `"$0" ls `+flags+` "$1" | head -c 100`, harness.Binary(), source))
		if r.Code != 0 || r.Stderr != "" || len(r.Stdout) != 100 {
			t.Errorf("ls %s: exit code %d, %d bytes, stderr %q", flags, r.Code, len(r.Stdout), r.Stderr)
		}
	}
}
