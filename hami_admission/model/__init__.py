"""The nouns: values that every decision speaks about.

Frozen, without I/O, without Kubernetes' JSON. Whoever needs a new field adds it here and in the
decoder of ``wire``; nothing in this package imports another package of ours.
"""
