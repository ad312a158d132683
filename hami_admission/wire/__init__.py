"""Texts that we share with other programs: Kubernetes objects, annotations, reviews, quantities.

Every decoder takes text or bytes and returns nouns of ``model``, or raises ``Malformed`` with a
message for a human. Nothing here decides anything.
"""
