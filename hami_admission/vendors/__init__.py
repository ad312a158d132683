"""What differs between accelerators: one value per family, filled into the form of ``vendor``.

No vendor knows another, nothing outside this package (and the keys in ``wire``) knows a vendor's
name. The loop that places pods is shared and stands in ``placement``.
"""
