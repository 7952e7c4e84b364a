package h3_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// H3: a stream that we have reset, as a send took too long, is over: its client may close the connection
// or drop the rest of its request, as a reaction, without a Disconnect.
func TestOnDisconnect_leavesAfterOurReset(t *testing.T) {
	for _, how := range []string{"closes the connection", "aborts its body"} {
		t.Run(how, func(t *testing.T) {
			visits, cut, bodies := make(chan *visit, 1), make(chan error, 1), make(chan error, 1)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				v := newVisit(t, w, r)
				v.register()
				visits <- v
				st, err := httpwire.NewChunks(w, r, &httpwire.StreamOptions{SendTimeout: 50 * time.Millisecond})
				for err == nil {
					err = st.Emit(make([]byte, 64<<10))
				}
				cut <- err
				_, err = io.Copy(io.Discard, r.Body)
				bodies <- err
				<-v.release
			})
			c := dial(t, s, nil)
			c.get("/")
			beside := s.next()
			str := c.open(withBody, "/handle")
			v := recv(t, visits, "the handler")
			if err := recv(t, cut, "Emit"); !errors.Is(err, httpwire.ErrSendTimeout) {
				t.Fatalf("Emit: %v, want ErrSendTimeout", err)
			}
			rsp, err := str.ReadResponse()
			if err == nil {
				_, err = io.Copy(io.Discard, rsp.Body)
			}
			if e, ok := errors.AsType[*http3.Error](err); !ok || e.ErrorCode != http3.ErrCodeRequestCanceled {
				t.Errorf("the client read to %v, want H3_REQUEST_CANCELLED", err)
			}
			if how == "aborts its body" {
				str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
				recv(t, bodies, "the end of the body")
				for range 1000 {
					runtime.Gosched() // to who is told of the same
				}
			} else {
				_ = c.quic.CloseWithError(0x100, "")
				beside.disconnect()
			}
			v.finish()
			v.untouched()
		})
	}
}
