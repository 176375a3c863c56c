"""Reproduction of the paper: published numbers, experiments, tables and report."""
