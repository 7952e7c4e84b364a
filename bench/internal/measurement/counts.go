package measurement

import (
	"context"
	"time"

	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
)

// Kinds are the exchanges whose disconnects are counted.
var Kinds = []protocol.Kind{protocol.Get, protocol.Unread, protocol.Pipelined, protocol.Expect, protocol.Answered}

const (
	// missAfter is how long a call goes on that nobody stops: a client of whom nobody was told by then is missed.
	missAfter = time.Second
	// answerAfter is the same where the call is to end by itself.
	answerAfter = 20 * time.Millisecond
)

// Count counts, over HTTP/1.1 on a machine at rest, how many clients left without anybody being told, and how
// many stayed and had their call cancelled all the same.
func (l *Lab) Count(ctx context.Context, c contender.Contender, k protocol.Kind, clients int) (result.Count, error) {
	limit := missAfter
	if k == protocol.Answered {
		limit = answerAfter
	}
	trips, err := l.run(ctx, Batch{
		Contender: c, Protocol: protocol.HTTP1, Kind: k, Mode: contender.Sleeps, Limit: limit, Count: clients, Gap: time.Millisecond,
	})
	if err != nil {
		return result.Count{}, err
	}
	res := result.Count{Contender: c.Name, Ours: c.Ours, Kind: string(k), Clients: clients}
	for _, t := range trips {
		switch {
		case k == protocol.Answered && (t.flag != 0 || t.fired != 0):
			res.False++
		case k != protocol.Answered && !t.inTime():
			res.Missed++
		}
	}
	return res, nil
}

// inTime says if somebody was told that the client has left while the call went on.
func (t trip) inTime() bool { return t.flag != 0 && (t.returned == 0 || t.flag <= t.returned) }

// Waste measures the processor time that this process takes for a client that leaves as soon as its call, which
// computes, is inside.
func (l *Lab) Waste(ctx context.Context, c contender.Contender, k protocol.Kind, clients int, work time.Duration) (result.Waste, error) {
	res := result.Waste{Contender: c.Name, Ours: c.Ours, Kind: string(k), Clients: clients, Work: work}
	for range clients {
		_, cpu, err := l.runCPU(ctx, Batch{
			Contender: c, Protocol: protocol.HTTP1, Kind: k, Mode: contender.Computes, Limit: work, Count: 1,
		})
		if err != nil {
			return res, err
		}
		res.Burnt += cpu / time.Duration(clients)
	}
	return res, nil
}
