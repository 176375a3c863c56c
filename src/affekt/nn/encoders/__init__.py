"""Segment encoders: each turns 0.96 s segments of a wave into embeddings."""
