"""Commands on games of teams: playing and showing Lanes, ratings, and recorded matches."""
