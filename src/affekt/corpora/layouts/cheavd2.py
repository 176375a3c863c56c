"""CHEAVD 2.0 as distributed for MEC 2017, through a manifest: its layout on disk is not public.

``manifest.csv`` has path, label, split, and speaker where known; labels in English or Chinese.
"""

from dataclasses import replace
from pathlib import Path

from ...errors import CorpusError
from ...plural import counted
from .. import manifest
from ..folder import with_speakers
from ..published import LoadedExamples, PublishedCorpus

EMOTIONS = {
    "angry": "anger", "anger": "anger", "生气": "anger", "愤怒": "anger",
    "happy": "happiness", "happiness": "happiness", "高兴": "happiness", "快乐": "happiness",
    "sad": "sadness", "sadness": "sadness", "悲伤": "sadness", "伤心": "sadness",
    "worried": "worry", "worry": "worry", "担心": "worry", "忧虑": "worry",
    "anxious": "anxiety", "anxiety": "anxiety", "焦虑": "anxiety", "紧张": "anxiety",
    "surprise": "surprise", "surprised": "surprise", "惊讶": "surprise", "惊奇": "surprise",
    "disgust": "disgust", "disgusted": "disgust", "厌恶": "disgust",
    "neutral": "neutral", "中性": "neutral", "平静": "neutral",
}  # fmt: skip


def load(root: Path) -> LoadedExamples:
    """Load ``root/manifest.csv``; the official validation part becomes the test part.

    The labels of the official test part are not public, so its rows are left out, and the
    official validation part is the test part, as in the paper.

    Raises:
        CorpusError: As for a manifest, or a label is unknown.
    """
    if not (root / "manifest.csv").is_file():
        raise CorpusError(
            f"{root}: no manifest.csv; write one with the columns path, label, split (train, val) "
            "and, where known, speaker"
        )
    rows, notes = manifest.load(root / "manifest.csv", speaker_needed=False, closed_test=True)
    labelled = {e.label for e in rows if e.label or e.split != "test"}
    unknown = sorted(label for label in labelled if label.lower() not in EMOTIONS)
    if unknown:
        raise CorpusError(
            f"{root / 'manifest.csv'}: unknown labels: {', '.join(unknown)}; "
            f"known are {', '.join(EMOTIONS)}"
        )
    test_rows = sum(e.split == "test" for e in rows)
    if without := sum(not e.split for e in rows):
        raise CorpusError(
            f"{root / 'manifest.csv'}: no split (train, val) in {counted(without, 'row')}"
        )
    split = {"train": "train", "val": "test"}
    examples = [
        replace(e, label=EMOTIONS[e.label.lower()], split=split[e.split])
        for e in rows
        if e.split in split
    ]
    notes = [*notes, "the official validation part is the test part here, as in the paper"]
    if test_rows:
        left_out = counted(test_rows, "clip")
        notes.append(f"{left_out} of the official test part left out: labels not public")
    training_speakers = {e.speaker for e in examples if e.split == "train"}
    both = training_speakers & {e.speaker for e in examples if e.split == "test"}
    if both:
        if named := sorted(both - {""}):
            shared = counted(len(named), "speaker")
            notes.append(f"{shared} in both official parts: speakers are ignored")
        examples = [replace(e, speaker="") for e in examples]
    loaded = with_speakers(examples)
    return LoadedExamples(loaded.examples, notes + loaded.notes)


CORPUS = PublishedCorpus(
    title="CHEAVD 2.0 / MEC 2017 (Li et al., 2018)",
    about="Mandarin, film and television, 8 classes",
    license="CHEAVD 2.0: for research, under the agreement with the Chinese Academy of Sciences.",
    obtain="On request from the organisers of MEC 2017, Institute of Automation, CAS.",
    counts={},
    load=load,
    folds=1,
)
