"""Evaluation: folds, runs, results, significance tests and audits."""
