"""Malformed: text from outside that cannot be read."""


class Malformed(ValueError):
    """The text does not have the form it must have; the message says where and what is wanted."""
