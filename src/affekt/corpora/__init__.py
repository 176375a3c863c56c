"""Corpora: examples with labels, speakers and splits, from manifests, folders and layouts."""
