"""Numbers for Prometheus, on a registry that is passed in."""
