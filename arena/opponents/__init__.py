"""Other programs as agents: by the interfaces of chess and shogi, and by the Go Text Protocol."""
