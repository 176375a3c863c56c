"""Scoring archives: millions of recordings, in parts that survive every fault."""
