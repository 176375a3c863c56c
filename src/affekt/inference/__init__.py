"""Inference: recordings in, predictions out."""
