// Package browser has no code but its tests: Chromium's EventSource and fetch, and a client
// library of another's, read what the streams of httpwire send on HTTP/1.1, HTTP/2 and
// HTTP/3, and what a user does to leave, such as closing the tab, stops the call in C. It is a module of
// its own so that nobody else downloads the driver.
package browser
