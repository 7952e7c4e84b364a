// Package protocol names what a run sends requests by, for the process of the servers and that of the
// clients.
package protocol

// A Protocol is a version of HTTP, over TLS or not.
type Protocol string

// The protocols.
const (
	HTTP1    Protocol = "HTTP/1.1"
	HTTP1TLS Protocol = "HTTP/1.1 TLS"
	HTTP2    Protocol = "HTTP/2"
	H2C      Protocol = "h2c"
	HTTP3    Protocol = "HTTP/3"

	// HTTP2Closed is HTTP/2 with a connection for each request, which the client closes, where it resets a stream of
	// one connection on HTTP/2.
	HTTP2Closed Protocol = "HTTP/2, connection closed"
)

// All is every protocol, as most clients leave.
var All = []Protocol{HTTP1, HTTP1TLS, HTTP2, H2C, HTTP3}

// A Kind is a way to ask, over HTTP/1.1. The other protocols know Get alone.
type Kind string

// The kinds.
const (
	Get       Kind = "GET"
	Unread    Kind = "POST, body unread"           // a part of the body has come, and the handler does not read it
	Pipelined Kind = "GET, next request behind it" // pipelined, once the first is inside its call
	Expect    Kind = "POST, Expect: 100-continue"  // the client waits for the go-ahead, which nobody gives
	Answered  Kind = "GET, answered, client stays" // the call ends by itself, and nobody leaves
)

// Answer is what a server answers to requests that measure the cost.
const Answer = "0123456789012345678901234567890123456789012345678901234567890123456789"
