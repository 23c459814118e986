"""Surgery: a trained network becomes a wider one, or one of another environment."""
