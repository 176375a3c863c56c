"""Errors that a user can correct, and the warnings about old names and damaged files.

Every message says what was wrong, where, and what to do. A wrong argument of a function is a
`ValueError`; these classes are for files, settings and the installation.
"""


class AffektError(Exception):
    """Base class: a mistake that the user can correct. The command prints it and exits with 2."""


class AudioError(AffektError):
    """A recording cannot be read."""


class TooLongError(AudioError):
    """A recording is longer than the limit."""


class CheckpointError(AffektError):
    """A model folder or a weights file is missing, damaged or of another architecture."""


class CorpusError(AffektError):
    """A manifest or a corpus folder does not have the expected form."""


class MissingExtraError(AffektError):
    """An optional dependency is not installed; the message names the extra to install."""


class RenamedWarning(FutureWarning):
    """An old name was used. It works for one release; the message gives the new name."""


class DamagedFileWarning(UserWarning):
    """A damaged file of an earlier download was found; it is downloaded again and replaced."""
