"""Films and strips of pictures of agents at play."""
