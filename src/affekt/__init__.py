"""Recognise emotion in natural speech."""
__version__ = "0.1.0"
