"""Batch inference over many recordings, resumable, on one machine or a Ray cluster."""
