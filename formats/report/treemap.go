package report

import (
	"cmp"
	"fmt"
	"slices"
	"wfs/formats/quantity"
)

// The map is drawn in a box of this size; the page scales it.
const (
	mapWidth  = 1000.0
	mapHeight = 420.0
	maxRects  = 80
	colours   = 8
)

// rect is a group in the map.
type rect struct {
	X, Y, W, H  float64
	Class       int
	Title       string
	Name, Share string // where there is room for them
}

// treemap lays groups out as rectangles whose areas are their bytes, as near to squares as
// can be (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000). Groups of one kind have one
// colour; small ones are put together.
func treemap(groups []*group) []rect {
	sorted := slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return g.Bytes == 0 })
	slices.SortStableFunc(sorted, func(a, b *group) int { return cmp.Compare(b.Bytes, a.Bytes) })
	if len(sorted) > maxRects {
		rest := &group{Prefix: fmt.Sprintf("%d smaller groups", len(sorted)-maxRects+1), kind: "smaller groups"}
		for _, g := range sorted[maxRects-1:] {
			rest.Bytes, rest.Tensors = rest.Bytes+g.Bytes, rest.Tensors+g.Tensors
		}
		sorted = append(sorted[:maxRects-1:maxRects-1], rest)
	}
	total := 0.0
	for _, g := range sorted {
		total += float64(g.Bytes)
	}
	class := map[string]int{}
	for _, g := range sorted {
		if _, ok := class[g.kind]; !ok {
			class[g.kind] = len(class) % colours
		}
	}
	scale := mapWidth * mapHeight / max(total, 1)
	x, y, w, h := 0.0, 0.0, mapWidth, mapHeight
	var rects []rect
	for len(sorted) > 0 {
		side := min(w, h)
		n, area, worst := 0, 0.0, 0.0
		for n < len(sorted) {
			next := area + float64(sorted[n].Bytes)*scale
			ratio := worstRatio(float64(sorted[0].Bytes)*scale, float64(sorted[n].Bytes)*scale, next, side)
			if n > 0 && ratio > worst {
				break
			}
			n, area, worst = n+1, next, ratio
		}
		thick := area / max(side, 1e-9)
		along := 0.0
		for _, g := range sorted[:n] {
			length := float64(g.Bytes) * scale / max(thick, 1e-9)
			r := rect{X: x, Y: y + along, W: thick, H: length}
			if w < h {
				r = rect{X: x + along, Y: y, W: length, H: thick}
			}
			along += length
			r.label(g, class[g.kind], total)
			rects = append(rects, r)
		}
		if w < h {
			y, h = y+thick, h-thick
		} else {
			x, w = x+thick, w-thick
		}
		sorted = sorted[n:]
	}
	return rects
}

// worstRatio is how far from a square the worst of a row of rectangles is, given the largest
// and the smallest area, that of all, and the side that they share.
func worstRatio(largest, smallest, all, side float64) float64 {
	return max(side*side*largest/(all*all), all*all/(side*side*max(smallest, 1e-9)))
}

// label makes room between rectangles, and writes in those that have it.
func (r *rect) label(g *group, class int, total float64) {
	const gap, character, line = 2, 7.2, 18
	r.Class = class
	r.Title = fmt.Sprintf("%s: %s in %d tensors", g.Prefix, quantity.Bytes(g.Bytes), g.Tensors)
	r.W, r.H = max(r.W-gap, 0.5), max(r.H-gap, 0.5)
	room := int((r.W - 14) / character)
	if r.H < 1.3*line || room < 4 {
		return
	}
	name := []rune(g.Prefix)
	if len(name) > room {
		name = append([]rune{'…'}, name[len(name)-room+1:]...)
	}
	r.Name = string(name)
	if r.H >= 2.4*line && room >= 8 {
		r.Share = fmt.Sprintf("%s · %.1f %%", quantity.Bytes(g.Bytes), 100*float64(g.Bytes)/total)
		if len(r.Share) > room+2 {
			r.Share = quantity.Bytes(g.Bytes)
		}
	}
}
