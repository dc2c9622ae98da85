package report

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"wfs/formats/audit"
	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/view"
)

// planOf is the plan of a file that has these tensors.
func planOf(t testing.TB, tensors []*checkpoint.Tensor, change func(*checkpoint.Checkpoint)) *view.Plan {
	t.Helper()
	c := &checkpoint.Checkpoint{
		Format: "test", Source: source.NewMemory("dir/<b>model</b>.pt", segment.Literal(nil), nil), Separator: ".", Framework: "pt", Tensors: tensors,
	}
	if change != nil {
		change(c)
	}
	plan, err := view.New(checkpoint.Single("dir/<b>model</b>.pt", c), view.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func tensor(key string, values ...byte) *checkpoint.Tensor {
	return &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Shape: []int64{int64(len(values))}, Data: segment.Literal(values)}
}

func write(t testing.TB, plan *view.Plan, opt Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, plan, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHostile has a file whose every name wants to be more than text.
func TestHostile(t *testing.T) {
	hostile := []string{
		`</script><script>alert(1)</script>`, `</style><img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, "a\u202egnp.exe", "\u2066x\u2069", "nul\x00", "\x1b[31m",
		"bad\xff\xfe", `{{.Policy}}`, "]]>", "&lt;b&gt;", strings.Repeat("<x>", 1<<20/3), "javascript:alert(1)", "`${alert(1)}`", "\u2028x", "new\nline", "",
	}
	var tensors []*checkpoint.Tensor
	metadata, objects := map[string]string{}, map[string]any{}
	var omitted []checkpoint.Omitted
	for i, s := range hostile {
		tensors = append(tensors, tensor(fmt.Sprintf("%s.%d.%s", s, i, s), 1, 2))
		metadata[s], objects[s] = s, s
		omitted = append(omitted, checkpoint.Omitted{Key: s, Reason: s})
	}
	tensors[0].Hidden = hostile[1]
	tied := tensor("tied"+hostile[2], 1, 2)
	tied.Tied = tensors[2]
	plan := planOf(t, append(tensors, tied), func(c *checkpoint.Checkpoint) {
		c.Metadata, c.Objects, c.Omitted, c.Notes = metadata, objects, omitted, hostile
	})
	stats, _, err := Measure(context.Background(), plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	reports := func() ([]*audit.Report, error) {
		return []*audit.Report{{File: hostile[0], Container: hostile}}, nil
	}
	page := write(t, plan, Options{Stats: stats, Reports: reports, Notes: hostile})
	if len(page) > 4<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	// The page's own script and style are the only ones, and no element of it is the file's.
	elements := map[string]int{}
	for _, tag := range regexp.MustCompile(`<([a-zA-Z]+)`).FindAllStringSubmatch(page, -1) {
		elements[tag[1]]++
	}
	if elements["script"] != 1 || elements["style"] != 1 || elements["img"]+elements["x"]+elements["b"]+elements["iframe"] > 0 {
		t.Errorf("elements: %v", elements)
	}
	if regexp.MustCompile(`(?i)<[^>]* (on[a-z]+|src|href|style)=`).MatchString(page) {
		t.Error("an element has an attribute that loads or runs something")
	}
	if strings.ContainsAny(page, "\u202e\u2066\u2069\x00\x1b\u2028") {
		t.Error("a character that cannot be seen is in the page")
	}
	if !strings.Contains(page, Policy()) && !strings.Contains(strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(page), Policy()) {
		t.Error("the page has no policy")
	}
	wellFormed(t, page)
}

// wellFormed checks that elements close as they open.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`).ReplaceAllString(page, "")))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "input", "br"}, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestMany has pages of many tensors: their size is bounded, and nothing is left out in silence.
func TestMany(t *testing.T) {
	for _, n := range []int{10_000, 200_000} {
		tensors := make([]*checkpoint.Tensor, n)
		for i := range tensors {
			tensors[i] = tensor(fmt.Sprintf("model.layers.%d.part%d.weight", i/20, i%20), byte(i))
		}
		plan := planOf(t, tensors, nil)
		began := time.Now()
		page := write(t, plan, Options{})
		t.Logf("%d tensors: %d bytes in %v", n, len(page), time.Since(began))
		if len(page) > 8<<20 {
			t.Errorf("%d tensors: the page has %d bytes", n, len(page))
		}
		if cut := strings.Contains(page, "more tensors are counted above and not listed"); cut != (n > maxRows) {
			t.Errorf("%d tensors: cut: %v", n, cut)
		}
		if !strings.Contains(page, count(int64(n))) {
			t.Errorf("%d tensors: their number is not on the page", n)
		}
	}
}

// TestTreemap covers its box, and no two rectangles overlap.
func TestTreemap(t *testing.T) {
	var groups []*group
	for i := range 200 {
		groups = append(groups, &group{Prefix: fmt.Sprint(i), Bytes: int64(1 + i*i*i), Tensors: 1})
	}
	groups = append(groups, &group{Prefix: "empty"})
	rects := treemap(groups)
	area := 0.0
	for i, r := range rects {
		area += (r.W + 2) * (r.H + 2)
		if r.X < -0.01 || r.Y < -0.01 || r.X+r.W > mapWidth+1 || r.Y+r.H > mapHeight+1 {
			t.Errorf("%+v leaves the box", r)
		}
		for _, o := range rects[:i] {
			if r.X+r.W > o.X+0.01 && o.X+o.W > r.X+0.01 && r.Y+r.H > o.Y+0.01 && o.Y+o.H > r.Y+0.01 && min(r.W, r.H, o.W, o.H) > 0.5 {
				t.Errorf("%+v and %+v overlap", r, o)
			}
		}
	}
	if len(rects) != maxRects || math.Abs(area/(mapWidth*mapHeight)-1) > 0.02 {
		t.Errorf("%d rectangles of %.0f", len(rects), area)
	}
	if treemap(nil) != nil {
		t.Error("nothing has a map")
	}
}

func TestPrefix(t *testing.T) {
	for key, want := range map[string]string{
		"encoder.layer.3.output.dense.weight": "encoder.layer.3", "embeddings.word.weight": "embeddings.word", "weight": ".", "0.weight": "0",
		"a.b.c.d.e.f.g.h": "a.b.c.d.e", "": ".", "unet/conv.weight": "unet/conv",
	} {
		if got := prefixOf(key, "."); got != want {
			t.Errorf("%q is in %q, want %q", key, got, want)
		}
	}
}

// TestMeasureFails has a source that changes, and somebody who gives up.
func TestMeasureFails(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Measure(ctx, planOf(t, []*checkpoint.Tensor{tensor("w", 1)}, nil), nil); err != context.Canceled {
		t.Errorf("given up: %v", err)
	}
	short := &checkpoint.Tensor{Key: "w", DType: checkpoint.F32, Shape: []int64{1}, Data: segment.Literal([]byte{1, 2})}
	if _, _, err := Measure(context.Background(), planOf(t, []*checkpoint.Tensor{short}, nil), nil); err == nil || !strings.Contains(err.Error(), "w: ") {
		t.Errorf("half an element: %v", err)
	}
}

func BenchmarkMeasure(b *testing.B) {
	for _, d := range []checkpoint.DType{checkpoint.F32, checkpoint.BF16, checkpoint.F16, checkpoint.F8E4M3} {
		b.Run(d.String(), func(b *testing.B) {
			const size = 32 << 20
			raw := make([]byte, size)
			for i := range raw {
				raw[i] = byte(i * 37 >> 2 & 0x3b)
			}
			var tensors []*checkpoint.Tensor
			for i := range 4 {
				tensors = append(tensors, &checkpoint.Tensor{Key: fmt.Sprint(i), DType: d, Shape: []int64{64, size / 64}, Data: segment.Literal(raw)})
			}
			plan := planOf(b, tensors, nil)
			b.SetBytes(4 * size)
			for b.Loop() {
				if _, _, err := Measure(context.Background(), plan, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
