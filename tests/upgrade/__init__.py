"""What this tree and the release before it read of each other."""
