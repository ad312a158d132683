"""Which cards of a node belong together? Pure functions over positions and numbers."""
