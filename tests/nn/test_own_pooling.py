"""A pooling of the user is checked before it is trained."""

import pytest
import torch

from affekt import AffektError
from affekt.config import Config
from affekt.nn.emotion_model import EmotionModel
from affekt.nn.pooling import Mean, Pooling, make_pooling


class Maximum(Pooling):
    """The largest of each hidden dimension; every segment has the same share."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dim = hidden

    def forward(self, h, mask):
        largest = h.masked_fill(~mask[..., None], -torch.inf).amax(1)
        return largest, mask / mask.sum(1, keepdim=True)


class Unmasked(Maximum):
    def forward(self, h, mask):
        return h.amax(1), mask / mask.sum(1, keepdim=True)


class NoShares(Maximum):
    def forward(self, h, mask):
        return super().forward(h, mask)[0], torch.ones_like(h[..., 0])


class WrongDim(Maximum):
    def __init__(self, hidden: int) -> None:
        super().__init__(hidden)
        self.dim = hidden + 1


def test_it_is_used_in_a_model():
    config = Config.model_validate(
        {"stage2": {"pooling": f"{__name__}.Maximum", "hidden": 4}, "encoder": {"name": "vggish"}}
    )
    pooling = EmotionModel(config, 2).sequence.pooling
    assert type(pooling).__name__ == "Maximum"
    h = torch.tensor([[[1.0, 5.0], [3.0, 2.0], [9.0, 9.0]]])
    pooled, shares = make_pooling(f"{__name__}:Maximum", 2, 3)(
        h, torch.tensor([[True, True, False]])
    )
    assert pooled.tolist() == [[3.0, 5.0]]
    assert shares.tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Unmasked, "alone and in a batch differ"),
        (NoShares, "attention must be 0 where mask is false"),
        (WrongDim, r"pooled has shape \(2, 8\), it must be \(2, 9\)"),
    ],
)
def test_faults_are_reported_before_training(part, reason):
    with pytest.raises(AffektError, match=reason):
        make_pooling(f"{__name__}:{part.__name__}", 8, 3)


def test_other_classes_are_refused():
    assert isinstance(make_pooling("affekt.nn.pooling:Mean", 8, 3), Mean)
    with pytest.raises(AffektError, match="not a class derived from affekt.Pooling"):
        make_pooling("collections:Counter", 8, 3)
