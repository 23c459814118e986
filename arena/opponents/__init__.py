"""Other programs as agents, by the Universal Chess Interface and by the Go Text Protocol."""
