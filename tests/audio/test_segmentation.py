import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affekt.audio.segmentation import (
    SEGMENT,
    SEGMENT_FRAMES,
    head_and_tail,
    hopped,
    interleaved,
    to_seconds,
    uniform,
)

seconds = st.floats(0.01, 400)
hops = st.integers(1, 300).map(lambda frames: frames / 100)


@given(seconds, hops)
def test_segments_are_complete_ordered_and_inside(duration, hop):
    for spans in (hopped(duration, hop), uniform(duration, hop), head_and_tail(duration)):
        assert spans.shape[1] == 2
        assert spans.dtype == np.int64
        assert (spans[:, 1] - spans[:, 0] == SEGMENT_FRAMES).all()
        assert (np.diff(spans[:, 0]) > 0).all()
        assert spans[0, 0] == 0
        assert spans[-1, 1] / 100 <= max(duration, SEGMENT) + 1e-6


@given(seconds, st.integers(1, 96).map(lambda frames: frames / 100))
def test_uniform_segments_cover_the_clip_to_within_a_frame(duration, hop):
    spans = uniform(duration, hop)
    assert spans[-1, 1] / 100 > duration - 0.01 - 1e-6
    assert (spans[1:, 0] <= spans[:-1, 1]).all()


@given(seconds, hops)
def test_uniform_hops_are_uniform_but_for_the_last(duration, hop):
    starts = uniform(duration, hop)[:, 0]
    assert (np.diff(starts)[:-1] == round(100 * hop)).all()
    assert (np.diff(starts)[-1:] <= round(100 * hop)).all()


@pytest.mark.parametrize(
    ("duration", "hop", "starts"),
    [
        (0.5, 0.48, [0]),
        (0.96, 0.48, [0]),
        (1.92, 0.96, [0, 96]),
        (1.91, 0.96, [0]),
        (2.0, 0.24, [0, 24, 48, 72, 96]),
    ],
)
def test_hops_by_hand(duration, hop, starts):
    assert hopped(duration, hop)[:, 0].tolist() == starts


def test_ends_by_hand():
    assert head_and_tail(3.0)[:, 0].tolist() == [0, 204]
    assert head_and_tail(1.0)[:, 0].tolist() == [0, 4]
    assert head_and_tail(0.9)[:, 0].tolist() == [0]
    assert uniform(2.0, 0.96)[:, 0].tolist() == [0, 96, 104]


def test_interleaved_sequences_by_hand():
    spans, sequences = interleaved(2.5, 0.48, 2)
    assert spans[:, 0].tolist() == [0, 24, 48, 72, 96, 120, 144, 154]
    assert [spans[s, 0].tolist() for s in sequences] == [[0, 48, 96, 144, 154], [24, 72, 120]]
    assert to_seconds(spans)[1].tolist() == [0.24, 1.2]
    assert len(interleaved(1.0, 0.48, 2)[1]) == 1  # too short for a shifted sequence


@pytest.mark.parametrize("hop", [0, -0.48, 0.005, 0.123])
def test_a_hop_off_the_grid_is_refused(hop):
    with pytest.raises(ValueError, match="multiple of 0.01"):
        hopped(3.0, hop)
