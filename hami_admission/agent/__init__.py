"""Process 2, one on each node: finds the cards, tells of them, answers the kubelet."""
