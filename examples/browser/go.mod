module github.com/hangup-go/hangup/examples/browser

go 1.26.0

replace github.com/hangup-go/hangup => ../../

require (
	github.com/chromedp/chromedp v0.23.0
	github.com/hangup-go/hangup v0.0.0-00010101000000-000000000000
	github.com/quic-go/quic-go v0.65.0
	github.com/tmaxmax/go-sse v0.12.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/chromedp/cdproto v0.159.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
