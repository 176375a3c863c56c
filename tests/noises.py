"""Imported where commands are forked: the noises of the speech gate, generated once for all."""

from affekt.training.calibration import NOISE_CLIPS, VALIDATION_NOISE_CLIPS
from affekt.training.synthetic_noise import synthetic_noise

synthetic_noise(NOISE_CLIPS + VALIDATION_NOISE_CLIPS)
