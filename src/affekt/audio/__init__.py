"""Audio: decoding, resampling, RMS normalisation, segmentation, voice activity detection."""
