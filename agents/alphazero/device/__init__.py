"""What AlphaZero does so that a graphics card is not waiting."""
