"""What we know now: the one mutable thing.

``state.Cluster`` is changed by events and asked by edges; its methods never await, so on one event
loop each of them is atomic, and check-and-book cannot be interleaved.
"""
