"""The rules of Lanes, compiled: what happens in a tick, who sees whom, and what it is worth."""
