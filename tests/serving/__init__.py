"""The values files of helm/examples: what they make of the charts, and what becomes of that."""
