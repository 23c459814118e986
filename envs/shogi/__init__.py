"""Shogi by its full rules, and minishogi on five by five cells."""
