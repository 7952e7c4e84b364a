package streamtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

type line struct{ Token string }

func parseEvents(b []byte) (tokens []string, err error) {
	for _, e := range ParseEvents(b).Events {
		if e.Type != "message" {
			return nil, fmt.Errorf("event of type %q", e.Type)
		}
		tokens = append(tokens, e.Data)
	}
	return tokens, nil
}

func parseLines(b []byte) (tokens []string, err error) {
	for l := range bytes.Lines(b) {
		if len(l) == 1 {
			continue // a heartbeat
		}
		var v line
		if err := json.Unmarshal(l, &v); err != nil {
			return nil, err
		}
		tokens = append(tokens, v.Token)
	}
	return tokens, nil
}

func parseChunks(b []byte) ([]string, error) {
	tokens := strings.Split(string(b), ";")
	if last := len(tokens) - 1; tokens[last] == "" {
		return tokens[:last], nil
	}
	return nil, fmt.Errorf("ends with %.20q", tokens[len(tokens)-1])
}
