"""The same decisions, offline: manifests in, verdicts, charges and placements out.

Drives the ``Cluster`` that serves in production with files and a virtual clock. What is
kube-scheduler's alone (node selectors, taints, cpu and memory) is not simulated.
"""
