"""What is wrong with a cluster, and what to do: objects in, findings out.

``seen`` is what was looked at (``examine`` gathers it), ``diagnose`` asks every check in turn, and
``report`` shows what they found. A check that was not let look says ``unknown``, never ``ok``.
"""
