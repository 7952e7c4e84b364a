// Package netns makes pairs of network namespaces for tests: a server's and a
// clients', joined by a veth pair, and cuts clients off by dropping their packets.
// The namespaces have no name: they end with the test, or with its process.
package netns
