"""Numbers with their nouns, for messages."""


def size_of(clips: int, speakers: int) -> str:
    """Numbers of clips and known speakers: "4 clips, 2 speakers", "4 clips, speakers unknown"."""
    return f"{counted(clips, 'clip')}, " + (
        counted(speakers, "speaker") if speakers else "speakers unknown"
    )


def counted(number: int, noun: str) -> str:
    """A number and its noun in the singular or plural: "1 clip", "2 clips".

    Args:
        number: How many there are.
        noun: Singular of a noun whose plural adds an s.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
