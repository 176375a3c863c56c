"""Figures: the timeline of a recording, and charts of runs and corpora."""
