"""What a linear classifier finds in the embeddings of frozen encoders.

    python benchmarks/linear_probe.py emodb:FOLDER > results/linear-probe.md

Logistic regression on the mean embedding of a clip, standardised by the training part, with
balanced class weights and C = 0.1, not tuned. The folds are those of every evaluation on this
corpus; the intervals are over speakers. No encoder was trained on the corpus.
"""

import sys

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affekt.config import Config
from affekt.corpora.registry import load_corpus
from affekt.metrics import confusion_by_speaker, intervals, scores
from affekt.nn.encoders.batching import encode
from affekt.nn.encoders.weights import build_encoder
from affekt.training.clips import load_clips
from affekt.training.waves import prepared

ENCODERS = {
    "Whisper, 3 layers (the teacher)": {},
    "VGGish, width 0.25, distilled": {"name": "vggish", "weights": "distilled"},
    "VGGish, width 0.25, random": {"name": "vggish", "width": 0.25},
}


def clip_embeddings(clips, settings):
    """Mean embedding ``(clips, dim)`` of each clip."""
    config = Config.model_validate({"encoder": settings})
    waves, spans = prepared([clip.recording for clip in clips], config)
    torch.manual_seed(0)
    encoder = build_encoder(config.encoder).eval()
    found = dict(encode(encoder, waves, spans))
    return np.stack([found[i].mean(0).numpy() for i in range(len(clips))])


def predicted(x, clips, folds):
    """Label of each clip, by a classifier that was trained without its speaker."""
    labels = np.array([clip.label for clip in clips])
    result = np.empty_like(labels)
    for tested in folds:
        test = np.array([clip.example.id in tested for clip in clips])
        regression = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
        classifier = make_pipeline(StandardScaler(), regression)
        result[test] = classifier.fit(x[~test], labels[~test]).predict(x[test])
    return result


def main(source):
    """Print the table."""
    corpus = load_corpus(source)
    clips = load_clips(corpus.examples)
    folds = [{example.id for example in fold.test} for fold in corpus.test_folds(None)]
    labels = sorted({clip.label for clip in clips})
    text = (__doc__ or "").split("linear-probe.md\n", 1)[1].strip()
    print(f"# Linear probe of frozen encoders\n\n{text}\n")
    print(f"{corpus.name}: {len(clips)} clips, {len(folds)} folds.\n")
    print("| encoder | dimensions | UAR | 95 % over speakers |\n|---|---|---|---|")
    for name, settings in ENCODERS.items():
        x = clip_embeddings(clips, settings)
        right, speakers = zip(*((c.label, c.example.speaker) for c in clips), strict=True)
        by_speaker = confusion_by_speaker(labels, right, predicted(x, clips, folds), speakers)
        confusions = np.stack(list(by_speaker.values()))[:, None]
        low, high = intervals(confusions)["UAR"]
        value = scores(confusions.sum((0, 1)))["UAR"]
        print(f"| {name} | {x.shape[1]} | {value:.3f} | {low:.3f} - {high:.3f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
