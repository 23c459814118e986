"""The Connect Four solver, its opening book and its labelled positions."""
