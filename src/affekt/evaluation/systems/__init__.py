"""The systems that an evaluation compares."""
