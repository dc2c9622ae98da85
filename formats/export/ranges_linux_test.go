package export

// allRanges is what tries every range.
func allRanges() *sharing {
	s := &sharing{}
	s.ranges.Store(true)
	return s
}
