package ops

import "math"

// arith changes the little-endian float32 of acc by those of x, and of y, where it needs
// them, and by p and q. They have one length, and x and y share no byte with acc.
type arith func(acc, x, y []byte, p, q float32)

// arithmetic is what Fold's steps are made of. Each operation written here is rounded once.
type arithmetic struct {
	add        arith // fma(x, p, acc)
	near       arith // fma(p, x−acc, acc)
	far        arith // fma(p, x−acc, x)
	mean       arith // acc + (x−acc)/p
	difference arith // acc + (x−y)·p
	blend      arith // acc·p + x·q
	scale      arith // acc·p
	nearswap   arith // see Nearswap, with p for t
	beyond     arith // acc, or a NaN of its sign where |acc| > p
}

// inGo is all of it for every machine. A product that is added to is converted first, or a
// compiler may fuse the two (go.dev/ref/spec, "Floating-point operators").
var inGo = arithmetic{
	add:        each(func(a, x, _, p, _ float32) float32 { return fma32(x, p, a) }),
	near:       each(func(a, x, _, p, _ float32) float32 { return fma32(p, x-a, a) }),
	far:        each(func(a, x, _, p, _ float32) float32 { return fma32(p, x-a, x) }),
	mean:       each(func(a, x, _, p, _ float32) float32 { return a + (x-a)/p }),
	difference: each(func(a, x, y, p, _ float32) float32 { return a + float32((x-y)*p) }),
	blend:      each(func(a, x, _, p, q float32) float32 { return float32(a*p) + float32(x*q) }),
	scale:      each(func(a, _, _, p, _ float32) float32 { return a * p }),
	nearswap: each(func(a, x, _, p, _ float32) float32 {
		w := min(max(float32(1/max(float32(math.Abs(float64(a-x))), 1e-6)*p), 0), 1)
		return float32(w*x) + float32((1-w)*a)
	}),
	beyond: each(func(a, _, _, p, _ float32) float32 {
		if b := math.Float32bits(a); math.Float32frombits(b&^(1<<31)) > p {
			return math.Float32frombits(b | 0x7fffffff)
		}
		return a
	}),
}

// each applies f to each element.
func each(f func(a, x, y, p, q float32) float32) arith {
	at := func(b []byte, i int) float32 {
		if b == nil {
			return 0
		}
		return math.Float32frombits(le.Uint32(b[i:]))
	}
	return func(acc, x, y []byte, p, q float32) {
		for i := 0; i < len(acc)&^3; i += 4 {
			le.PutUint32(acc[i:], math.Float32bits(f(at(acc, i), at(x, i), at(y, i), p, q)))
		}
	}
}
