"""Networks, the algorithms that train them, and the players made of them."""
