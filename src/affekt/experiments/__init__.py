"""The harness in which every system is judged the same way."""
