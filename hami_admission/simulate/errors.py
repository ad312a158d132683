"""BadInput: a file that cannot be used, said for its author."""


class BadInput(ValueError):
    """Names the file, the place in it, and what is wanted there."""
