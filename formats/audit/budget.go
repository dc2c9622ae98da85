package audit

// Bounds of the work on one file and of what is said of it. What lies past one is not
// looked into: a note says so, once, and the file is unknown.
const (
	baseOps      = 1 << 27 // opcodes, and four for each byte of the file
	baseInflated = 1 << 30 // bytes that are inflated or decoded, and eight for each byte of the file
	baseLooks    = 1 << 20 // records, payloads and streams, and one for each eight bytes of the file
	maxText      = 4 << 20 // bytes of names and notes in the report, and
	textPerByte  = 8       // so many for each byte of the file, up to
	maxTextInAll = 32 << 20
)

// budget is what may still be spent on a file.
type budget struct {
	ops, inflated, looks, text int64
	spent                      bool // something ran out, and it was said
}

func newBudget(size int64) budget {
	size = max(0, min(size, 1<<50))
	return budget{
		ops: baseOps + 4*size, inflated: baseInflated + 8*size, looks: baseLooks + size/8,
		text: min(maxText+textPerByte*size, maxTextInAll),
	}
}

// spend takes n off one of the budgets, and reports whether it was there.
func (s *scanner) spend(of *int64, n int64, what, name string) bool {
	if *of >= n {
		*of -= n
		return true
	}
	*of = 0
	if !s.budget.spent {
		s.budget.spent = true
		s.note("the budget of this file for %s is used up: %s and what comes after it is not looked into", what, label(name))
	}
	return false
}

// Lengths in a report: of a name, of a note, of the label of a pickle.
const (
	maxName  = 512
	maxNote  = 1024
	maxLabel = 1024
)

// room takes what a text of n bytes and its frame need off the budget of the report.
func (s *scanner) room(n int) bool {
	const frame = 100 // what stands around it
	if s.budget.text < int64(n+frame) {
		return false
	}
	s.budget.text -= int64(n + frame)
	return true
}
