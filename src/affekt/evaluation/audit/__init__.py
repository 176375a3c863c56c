"""Audits: leakage between training and test, near-duplicate recordings, corpus checks."""
