package streamtest

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// A Dispatched is an event as a browser's listener gets it.
type Dispatched struct {
	Type, Data, LastEventID string
}

// A Source is what an EventSource has made of a stream.
type Source struct {
	Events      []Dispatched
	Comments    []string
	Retry       time.Duration // the last reconnection time, 0 if none was set
	LastEventID string
}

// ParseEvents interprets a stream as section 9.2.6 of the HTML standard says,
// except that it is not decoded: invalid UTF-8 stays what it is.
func ParseEvents(stream []byte) (s Source) {
	stream = bytes.TrimPrefix(stream, []byte("\ufeff"))
	var data, typ, id string
	for {
		line, rest, ended := cutLine(stream)
		if !ended {
			return s // "Any pending data must be discarded"
		}
		stream = rest
		if line == "" {
			s.LastEventID = id
			if data != "" {
				e := Dispatched{Type: "message", Data: strings.TrimSuffix(data, "\n"), LastEventID: id}
				if typ != "" {
					e.Type = typ
				}
				s.Events = append(s.Events, e)
			}
			data, typ = "", ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			s.Comments = append(s.Comments, value)
		case "event":
			typ = value
		case "data":
			data += value + "\n"
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		case "retry":
			if strings.Trim(value, "0123456789") == "" {
				if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
					s.Retry = time.Duration(ms) * time.Millisecond
				}
			}
		}
	}
}

// cutLine cuts off a line that ends with CRLF, LF or CR.
func cutLine(b []byte) (line string, rest []byte, ended bool) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return "", nil, false
	}
	line, rest = string(b[:i]), b[i+1:]
	if b[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return line, rest, true
}
