"""The front door's commands, by what they are for; heavy imports stand inside their functions."""
