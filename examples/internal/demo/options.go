package demo

import (
	"errors"
	"flag"
)

// Options are what the flags set.
type Options struct {
	On bool
	Size
}

// Size says how much is done per protocol and case.
type Size struct {
	Requests int // that complete
	HangUps  int // in the middle of a call
}

// Flags declares the flags in fs and returns what they will have set.
func Flags(fs *flag.FlagSet, size Size) *Options {
	o := new(Options)
	fs.BoolVar(&o.On, "demo", false, "start a server on free ports, hang up on it over each protocol, print a table")
	fs.IntVar(&o.Requests, "demo-requests", size.Requests, "requests per line of the table that complete")
	fs.IntVar(&o.HangUps, "demo-hangups", size.HangUps, "requests per line of the table whose client hangs up")
	return o
}

// Check finds what is wrong with the options.
func (o *Options) Check() error {
	if o.Requests < 1 || o.HangUps < 1 {
		return errors.New("-demo-requests and -demo-hangups must be at least 1")
	}
	return nil
}
