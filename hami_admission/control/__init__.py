"""Process 1, a Deployment: webhooks, scheduler extender, quota ledger.

Each route has one shape: decode, one synchronous call of ``Cluster``, encode and send. What has to
reach the API server goes through ``charging`` (quotas) and ``bind`` (Bindings), nothing else.
"""
