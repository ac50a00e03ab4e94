"""From a config to trained weights: the loop, its steps, and what decides them."""
