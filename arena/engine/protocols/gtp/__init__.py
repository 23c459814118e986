"""The Go Text Protocol: an agent in Go programs."""
