"""Results of the paper (Chen, Zhang & Zhao, 2021), and where they contradict each other.

Scores are accuracies in percent. ``docs/en/concepts/method.md`` explains the contradictions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OURS = "vggish-attention-balance"  # the system that the paper proposes


@dataclass(frozen=True)
class Published:
    """The paper's results on one corpus.

    Attributes:
        title: Name of the corpus in the paper.
        numbers: Numbers of its balance table, balance figure and confusion figure.
        segments: Segments of each class before and after balance (Table 1 or 2).
        compared: Accuracy of other systems (Table 5).
        unbalanced, balanced: Accuracy of each system (Tables 3 and 4).
        recalls: Recall of the classes for which the text gives it (Figure 4 or 5).
        other_recalls: Upper bound of the recall of all other classes.
        remarks: Errors of the paper, and differences from it.
        impossible: Why the number of segments after balance contradicts the paper's rule, by class.
    """

    title: str
    numbers: tuple[int, int, int]
    segments: Mapping[str, tuple[int, int]]
    compared: Mapping[str, float]
    unbalanced: Mapping[str, float]
    balanced: Mapping[str, float]
    recalls: Mapping[str, float]
    other_recalls: float
    remarks: tuple[str, ...]
    impossible: Mapping[str, str] = field(default_factory=dict)


HOPS = (
    "What the paper calls an overlap of 0.24 s or 0.48 s is a hop: in its tables the number of "
    "segments grows by a factor of 3.5, but an overlap of 0.24 s gives a factor of 4/3 at most."
)

PUBLISHED = {
    "baum1s": Published(
        title="BAUM-1s",
        numbers=(1, 2, 4),
        segments={
            "anger": (144, 314),
            "disgust": (268, 522),
            "fear": (93, 326),
            "happiness": (491, 405),
            "sadness": (487, 345),
            "surprise": (83, 309),
        },
        impossible={
            "anger": "more than twice the segments at hop 0.96 s; hop 0.48 s gives fewer",
            "happiness": "more than two for each of the 173 clips of the corpus",
            "sadness": "more than two for each of the 134 clips of the corpus",
        },
        unbalanced={"vggish-mean": 43.14, "vggish-attention": 44.09},
        balanced={"vggish-mean-balance": 45.78, OURS: 47.27},
        compared={"mfcc": 29.41, "alexnet": 42.46, "alexnet-softmax": 42.38},
        recalls={"happiness": 64.53, "sadness": 61.19},
        other_recalls=40.0,
        remarks=(
            HOPS,
            "No single rule gives the paper's Table 1; ours follows the rule in its text.",
            "The paper gives the test speakers of its first fold only; our other folds are made of "
            "the remaining speakers.",
            "The paper counts 520 clips; the table of the corpus lists 521 of the six emotions.",
            "The paper does not say how the epoch was selected. paper_protocol selects it on the "
            "test fold; such a score is not an estimate for unseen speakers.",
            "Always predicting Joy has an accuracy of 33.1 %; the paper does not report it.",
        ),
    ),
    "cheavd2": Published(
        title="CHEAVD2.0",
        numbers=(2, 3, 5),
        segments={
            "anger": (3096, 3096),
            "anxiety": (1798, 3352),
            "disgust": (470, 1663),
            "happiness": (2597, 2597),
            "neutral": (5233, 2777),
            "sadness": (2433, 2433),
            "surprise": (468, 1580),
            "worry": (2345, 2345),
        },
        unbalanced={"vggish-mean": 39.89, "vggish-attention": 41.37},
        balanced={"vggish-mean-balance": 42.29, OURS: 43.42},
        compared={"gemaps-svm": 39.90, "resnet": 43.96, "gemaps-forest": 40.31},
        recalls={"anger": 65.62, "neutral": 64.5},
        other_recalls=45.0,
        remarks=(
            HOPS,
            "Table 3 gives 41.37, the text 41.73. Of 707 clips, 41.73 % is 295 clips, and 41.37 % "
            "is not an integer: the number in the table is probably a typing error, and balance "
            "gains 1.69, not 2.05.",
            "The text lists Fear among the classes; the corpus and Table 2 have Neutral instead.",
            "Systems are trained on the official training part and tested on the official "
            "validation part, as in the paper; its Table 5 mixes such scores with scores on the "
            "closed test part.",
            "The paper does not say how the epoch was selected. paper_protocol selects it on the "
            "test fold; such a score is not an estimate for unseen speakers.",
            "Always predicting Neutral has an accuracy of 28.3 %; the paper does not report it.",
        ),
    ),
}
