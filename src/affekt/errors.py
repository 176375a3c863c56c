"""What can go wrong through no fault of the program.

Every message says what was wrong, where, and what to do. ``ValueError`` is kept
for arguments; these three name a file.
"""


class AffektError(Exception):
    """A mistake the user can mend; the command line prints it and exits with 2."""


class AudioError(AffektError):
    """A recording could not be read."""


class TooLongError(AudioError):
    """A recording of more hours than can be read."""


class CheckpointError(AffektError):
    """A model folder or a weights file is missing, damaged or of another kind."""


class CorpusError(AffektError):
    """A manifest or corpus folder is not what it should be."""
