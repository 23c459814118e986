"""Files under keys: local, object stores, atomic commits, locks."""
