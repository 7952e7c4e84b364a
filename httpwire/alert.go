package httpwire

// Records of TLS (RFC 8446, 5.1, 6.1).
const (
	recordAlert       = 21 // in the clear before TLS 1.3
	recordApplication = 23
	recordHeaderLen   = 5
	sealedAlertLen    = 2 + 1 + 16 // alert, its type, the tag of every suite of TLS 1.3
)

// mayBeAlert reports whether p, a write below TLS, may be an alert, such as the
// close_notify that a tls.Conn sends before it closes the connection. Under TLS
// 1.3 two bytes of data look the same: evidence that follows them, before more is
// written, waits for doubtFor.
func mayBeAlert(p []byte) bool {
	return len(p) > recordHeaderLen && (p[0] == recordAlert ||
		p[0] == recordApplication && len(p) == recordHeaderLen+sealedAlertLen)
}
