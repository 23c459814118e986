"""The replay log: episodes in immutable segments, one writer each."""
