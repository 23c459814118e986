"""What a hero of Lanes observes and may do, and the true state for a critic, compiled."""
