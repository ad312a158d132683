"""What a namespace may take: which quotas apply, what a pod costs, and the ledger of a quota.

Pure arithmetic on ``model.quota``; who writes the result to the API server is ``control``.
"""
