package gguf

// Float16 is float16.
var Float16 = float16
