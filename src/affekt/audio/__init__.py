"""Audio in: decoding, resampling, levels, 0.96 s segments and voice activity."""
