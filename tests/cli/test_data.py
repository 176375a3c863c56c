"""``affekt data``: the list of corpora, and those that cannot be downloaded."""

from helpers import affekt


def test_the_list_and_corpora_without_a_download():
    done = affekt("data", "list")
    assert done.returncode == 0, done.stderr
    assert "baum1s" in done.stdout
    assert "https://zenodo.org/records/1188976" in done.stdout
    done = affekt("data", "get", "iemocap")
    assert done.returncode == 2
    assert "https://sail.usc.edu/iemocap/" in done.stderr
    done = affekt("data", "get", "nothing")
    assert done.returncode == 2
    assert "nothing: not a known corpus; choose one of " in done.stderr
