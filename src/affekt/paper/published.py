"""What the paper reports, in its tables' numbers, and where they contradict each other.

Chen, Zhang, Zhao 2021. Percent are accuracies. ``docs/en/concepts/method.md`` says more on
the errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

OURS = "vggish-attention-balance"  # what the paper proposes


@dataclass(frozen=True)
class Published:
    """The paper's results on one corpus.

    Attributes:
        title: The corpus, as the paper writes it.
        numbers: Of its balance table, balance figure and confusion figure.
        segments: By class before and after balance (Table 1 or 2).
        impossible: Why the number after balance cannot follow from the paper's rule.
        compared: Table 5: systems of others, and their accuracies.
        unbalanced, balanced: Tables 3 and 4.
        recalls: By class, as far as the text gives them (Figure 4 or 5).
        others_below: The recall that it gives as a bound of all other classes.
        remarks: What it says that cannot be, and what to keep in mind.
    """

    title: str
    numbers: tuple[int, int, int]
    segments: Mapping[str, tuple[int, int]]
    compared: Mapping[str, float]
    unbalanced: Mapping[str, float]
    balanced: Mapping[str, float]
    recalls: Mapping[str, float]
    others_below: float
    remarks: tuple[str, ...]
    impossible: Mapping[str, str] = field(default_factory=dict)


HOPS = (
    "What the paper calls an overlap of 0.24 s or 0.48 s is a hop: its tables show growth by "
    "3.5, an overlap of 0.24 s could give 4/3 at most."
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
            "anger": "more than twice the segments at hop 0.96 s, hop 0.48 s gives less",
            "happiness": "more than two for each of the 173 clips of the whole corpus",
            "sadness": "more than two for each of the 134 clips of the whole corpus",
        },
        unbalanced={"vggish-mean": 43.14, "vggish-attention": 44.09},
        balanced={"vggish-mean-balance": 45.78, OURS: 47.27},
        compared={"mfcc": 29.41, "alexnet": 42.46, "alexnet-softmax": 42.38},
        recalls={"happiness": 64.53, "sadness": 61.19},
        others_below=40.0,
        remarks=(
            HOPS,
            "No single rule gives the paper's Table 1; ours follows the rule of its text.",
            "The paper names the test speakers of its first fold only; the other groups here are "
            "made of the remaining speakers.",
            "It counts 520 clips; the sheet of the corpus gives 521 of the six emotions.",
            "It does not say how the epoch was chosen. paper_protocol chooses it on the test "
            "fold; such a number is no estimate for unheard speakers.",
            "Always saying Joy scores 33.1 % there; the paper shows no such line.",
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
        others_below=45.0,
        remarks=(
            HOPS,
            "Table 3 says 41.37, the text 41.73. With 707 clips 41.73 is 295 of them and 41.37 no "
            "whole number: the table's is probably a slip, and balance gains 1.69, not 2.05.",
            "The text lists Fear among the classes; the corpus and Table 2 have Neutral in its "
            "place.",
            "Trained on the official training part and scored on the official validation part, "
            "as in the paper; Table 5 mixes such scores with others on the closed test part.",
            "It does not say how the epoch was chosen. paper_protocol chooses it on the test "
            "fold; such a number is no estimate for unheard speakers.",
            "Always saying Neutral scores 28.3 % there; the paper shows no such line.",
        ),
    ),
}
