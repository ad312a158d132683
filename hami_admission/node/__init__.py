"""What the side of a node decides: its cards, their health, what a container gets of them."""
