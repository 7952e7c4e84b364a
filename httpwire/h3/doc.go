// Package h3 brings httpwire to quic-go's HTTP/3 server: after [Configure],
// httpwire.OnDisconnect and the context of each request tell how its client left.
// It is a package of its own so that a server without HTTP/3 does not compile QUIC.
//
//	srv := &http3.Server{Addr: ":8443", Handler: mux, TLSConfig: conf}
//	if err := h3.Configure(srv, nil); err != nil {
//		return err
//	}
//	return srv.ListenAndServe()
//
// What counts as the client leaving, and how it is reported:
//
//   - STOP_SENDING: stream reset, with its code.
//   - RESET_STREAM alone, body read or not: body aborted, with its code. When a
//     client sends both frames, whichever is seen first names the kind: mostly
//     stream reset.
//   - CONNECTION_CLOSE from the client: closed if it says "no error" (HTTP/3's
//     0x100, or 0), else reset; with the code of the application or the
//     transport, which the type of Err tells apart.
//   - The idle or handshake timeout: timeout.
//   - A stateless reset: reset. An unreachable host or network: connection lost.
//
// Nothing that this end does is one of these: Server.Close, Shutdown, a context
// that the program cancels, deadlines, CancelRead and CancelWrite, a protocol
// error that quic-go answers by closing, a closed socket.
//
// # Cost
//
// A request that nobody looks at costs one allocation here. Looking (OnDisconnect,
// or asking the context) costs five more, of 300 bytes, and, once the client has sent its whole
// request, one short-lived goroutine. Nothing runs while nothing happens.
//
// # Limits
//
// A RESET_STREAM that arrives after the end of the request (its FIN) is not a
// disconnect: the request is whole. With RESET_STREAM_AT (quic.Config's
// EnableStreamResetPartialDelivery) a reset is seen only if the handler has read the reliable part by
// the time that it arrives. A handler that takes the stream over (http3.HTTPStreamer) and
// sets a final size callback on it replaces the one that sees RESET_STREAM;
// STOP_SENDING and the connection are still seen.
package h3
