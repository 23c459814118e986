"""The speed of acting in environments, and of learning from them."""
