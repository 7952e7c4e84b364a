// Package httpwire tells an HTTP handler that its client has left.
//
// [Configure] prepares an http.Server, for HTTP/1.1 and HTTP/2; package
// httpwire/h3 does the same for HTTP/3. From then on r.Context() is done as soon
// as the client of r leaves, with a [*Disconnect] as its [context.Cause], and
// [OnDisconnect] registers a callback for this, and for nothing else: a local
// deadline, a limit, a shutdown, a panic or the handler's normal return is never
// reported as a disconnect.
//
// The handler is only told. It is never killed, and it returns when it likes.
//
// What counts is evidence from the wire. On HTTP/1.1 that is an event of the
// connection monitor, one epoll instance (Linux) or kqueue (macOS and the BSDs)
// and one goroutine for all connections, which sees a close behind unread data,
// where net/http does not look; and the errors and the TCP state that the wrapped
// connection of [Listener] sees. On other systems there is no monitor: what the
// wrapped connection sees is all, and without it the server's own context is. A
// Disconnect's [Source] says which it was. On HTTP/2 it is the frames and the end
// of the connection.
//
// What this end does has reasons of its own, as the context's cause:
// [ErrServerClosed], [ErrServerDeadline], [ErrBaseContext]. [Status] turns an error
// into a status code; [Detach] makes a context for work that survives its client.
//
// A handler that produces as it goes has [NewEventStream], [NewNDJSON] and
// [NewChunks]: their Emit sends, fails once the client has left, and is woken when it
// waits for a client that leaves. [Stream.Pump] does so for a whole source.
//
// Limits. A FIN can't be told from a half-close: both count as closed, unless
// [Options].HalfClose says otherwise. A FIN that is stuck behind more unread data
// than the receive window holds is not seen, unless BodyReadAhead has room for it.
// http.MaxBytesReader can't tell a wrapped ResponseWriter that the limit was hit,
// so the connection is not closed early for it.
package httpwire
