//go:build cgo

package native_test

import (
	"context"
	"fmt"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// An engine in C hands out tokens by a callback, which returns what send says: C
// stops when the context is done or the loop ends.
func ExampleStream() {
	generate := func(c *native.Call, send func(string) bool) error {
		return nativetest.Tokens(c.Flag().Pointer(), 1000, 0, send, nil)
	}
	n := 0
	for tok, err := range native.Stream(context.Background(), nil, 16, generate) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%q\n", tok)
		if n++; n == 2 {
			break // returns when C has
		}
	}
	// Output:
	// "token 0 "
	// "token 1 "
}
