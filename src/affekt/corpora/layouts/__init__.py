"""One module for each published corpus, in its owner's folder layout."""
