"""What recognising utterances in place of whole clips changes on clips of corpora.

    python benchmarks/vad.py emodb:DIR casia:DIR ... > results/vad.md

Models are trained on whole clips. `affekt predict` recognises the utterances that voice activity
detection finds in a clip, without its pauses, and combines them. For up to 400 clips of each corpus
whose class the bundled model `default` knows: its UAR on whole clips and on their utterances, and
the share of clips with the same label. `default` was trained on some of these corpora; here only
the difference counts. A clip without a detected utterance counts as wrong.
"""

import random
import sys

import numpy as np

import affekt
from affekt.audio.decoding import read
from affekt.nn.speech_gate import UNCERTAIN

CLIPS = 400


def main(corpora):
    """Print a Markdown table."""
    print(f"# Utterances and whole clips\n\n{(__doc__ or '').split(chr(10), 4)[4].strip()}\n")
    print("| corpus | clips | UAR whole | UAR utterances | same label | no utterance |")
    print("|---|---|---|---|---|---|")
    recognizer = affekt.load()
    for source in corpora:
        corpus = affekt.load_corpus(source)
        examples = [e for e in corpus.examples if e.label in recognizer.labels]
        random.Random(0).shuffle(examples)
        examples = examples[:CLIPS]
        recordings = [read(e.path) for e in examples]
        labels = np.array([e.label for e in examples])
        spoken = recognizer(recordings)
        found = {
            "whole": np.array([top(p) for p in recognizer.recognise(recordings)]),
            "utterances": np.array([top(p) if p.segments else UNCERTAIN for p in spoken]),
        }
        cells = [f"{uar(labels, own):.3f}" for own in found.values()]
        same = float(np.mean(found["whole"] == found["utterances"]))
        nobody = sum(not p.segments for p in spoken)
        row = [corpus.name, str(len(examples)), *cells, f"{same:.3f}", str(nobody)]
        print(f"| {' | '.join(row)} |", flush=True)


def top(prediction):
    """The most probable class, also of a rejected recording."""
    return max(prediction.probabilities, key=prediction.probabilities.get)


def uar(labels, predicted):
    """Unweighted average recall."""
    return float(np.mean([np.mean(predicted[labels == one] == one) for one in set(labels)]))


if __name__ == "__main__":
    main(sys.argv[1:])
