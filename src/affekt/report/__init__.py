"""Output for readers: console, figures, report pages and model cards."""
