"""Neural networks: segment encoders, sequence model, pooling, speech gate, checkpoints."""
