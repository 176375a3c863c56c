from affekt.plural import counted


def test_only_one_is_singular():
    assert [counted(n, "clip") for n in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]
