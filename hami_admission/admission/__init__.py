"""May the pod enter, and how must it look?

``admit.decide`` is the whole decision; ``changes`` turns it into a JSON Patch. The same decision
is made in the mutating and in the validating call: there it must find nothing left to change.
"""
