package ops

// n is a multiple of arithStep and more than 0. Where a function has no use for x or y it does not read it.

//go:noescape
func addAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func nearAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func farAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func meanAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func differenceAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func blendAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func scaleAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func nearswapAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func beyondAVX2(acc, x, y *byte, n int, p, q float32)

//go:noescape
func sumsAVX2(sums *float64, x, y *byte, n int)

// sumsOf is sums in assembly.
func sumsOf(sums *sumLanes, x, y []byte) {
	n := len(x) / 4 / 8 * 8
	if n > 0 {
		_ = y[4*n-1]
		sumsAVX2(&sums[0][0], &x[0], &y[0], n)
	}
	addProducts(sums, x[4*n:], y[4*n:])
}

// arithStep is the elements of a turn in assembly.
const arithStep = 16

// vector runs assembly for all whole turns, and the twin for the rest.
func vector(fast func(acc, x, y *byte, n int, p, q float32), twin arith) arith {
	return func(acc, x, y []byte, p, q float32) {
		n := len(acc) / 4 / arithStep * arithStep
		if n > 0 {
			var px, py *byte
			if x != nil {
				_, px = x[4*n-1], &x[0]
			}
			if y != nil {
				_, py = y[4*n-1], &y[0]
			}
			fast(&acc[0], px, py, n, p, q)
		}
		acc = acc[4*n:]
		if x != nil {
			x = x[4*n:]
		}
		if y != nil {
			y = y[4*n:]
		}
		twin(acc, x, y, p, q)
	}
}

// vectors is all arithmetic in assembly.
func vectors() arithmetic {
	return arithmetic{
		add: vector(addAVX2, inGo.add), near: vector(nearAVX2, inGo.near), far: vector(farAVX2, inGo.far),
		mean: vector(meanAVX2, inGo.mean), difference: vector(differenceAVX2, inGo.difference), blend: vector(blendAVX2, inGo.blend),
		scale: vector(scaleAVX2, inGo.scale), nearswap: vector(nearswapAVX2, inGo.nearswap), beyond: vector(beyondAVX2, inGo.beyond),
	}
}
