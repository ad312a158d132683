"""Measurements that print a table each; run on an idle machine. None of them is a test."""
