"""Training in two stages; the only part of the package that may segment by label."""
