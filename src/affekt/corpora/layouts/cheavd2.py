"""CHEAVD 2.0 as given out for MEC 2017, through a manifest: its layout on disk is not public.

``manifest.csv`` (path, label, split, and speaker where known); labels in English or Chinese.
"""

from dataclasses import replace
from pathlib import Path

from ...errors import CorpusError
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
    """The utterances of ``root/manifest.csv``, judged as MEC 2017 can be outside the contest.

    The labels of the official test part are closed, so the official validation part is the
    test part here, as in the paper; rows of the official test part are left out.

    Raises:
        CorpusError: As of a manifest, or a label of no class.
    """
    if not (root / "manifest.csv").is_file():
        raise CorpusError(
            f"{root}: no manifest.csv; write one with the columns path, label, split (train, val) "
            "and, where known, speaker"
        )
    rows = manifest.load(root / "manifest.csv", speaker_needed=False, closed_test=True)
    labelled = {u.label for u in rows if u.label or u.split != "test"}
    unknown = sorted(label for label in labelled if label.lower() not in EMOTIONS)
    if unknown:
        raise CorpusError(
            f"{root / 'manifest.csv'}: labels of no class: {', '.join(unknown)}; "
            f"known are {', '.join(EMOTIONS)}"
        )
    closed = sum(u.split == "test" for u in rows)
    if nowhere := sum(not u.split for u in rows):
        raise CorpusError(f"{root / 'manifest.csv'}: {nowhere} rows have no split (train, val)")
    part = {"train": "train", "val": "test"}
    examples = [
        replace(u, label=EMOTIONS[u.label.lower()], split=part[u.split])
        for u in rows
        if u.split in part
    ]
    notes = ["the official validation part is the test part here, as in the paper"]
    if closed:
        notes.append(f"{closed} clips of the official test part left out: its labels are closed")
    heard = {u.speaker for u in examples if u.split == "train"}
    both = heard & {u.speaker for u in examples if u.split == "test"}
    if both:
        if named := sorted(both - {""}):
            notes.append(f"{len(named)} speakers stand in both official parts: none is used")
        examples = [replace(u, speaker="") for u in examples]
    found = with_speakers(examples)
    return LoadedExamples(found.examples, notes + found.notes)


CORPUS = PublishedCorpus(
    title="CHEAVD 2.0 / MEC 2017 (Li et al., 2018)",
    about="Mandarin, film and television, 8 classes",
    license="CHEAVD 2.0: for research, under the agreement with the Chinese Academy of Sciences.",
    obtain="On request from the organisers of MEC 2017, Institute of Automation, CAS.",
    counts={},
    load=load,
    folds=1,
)
