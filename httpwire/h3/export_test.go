package h3

// LeftBy is leftBy, Settle is settle.
var (
	LeftBy = leftBy
	Settle = settle
)

// HideStreams makes streamOf find no stream, as with a version of http3 that keeps it elsewhere,
// until show is called. A request must have been served before.
func HideStreams() (show func()) {
	found := lastLayout.Load()
	lastLayout.Store(&layout{writer: found.writer, field: -1})
	return func() { lastLayout.Store(found) }
}
