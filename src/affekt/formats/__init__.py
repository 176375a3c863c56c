"""File formats of predictions: CSV, JSON lines, RTTM, SRT, WebVTT, TextGrid, EAF, audformat."""
