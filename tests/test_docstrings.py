"""The examples in the docstrings of the public names run and give what they show."""

import doctest
import inspect

import pytest
from helpers import ROOT

import affekt


def examples():
    """Docstrings of the package, of its public names and of their methods, with examples."""
    finder = doctest.DocTestFinder(recurse=True)
    objects = [affekt, *(getattr(affekt, name) for name in affekt.__all__)]
    for item in objects:
        recurse = inspect.isclass(item)
        finder._recurse = recurse
        for test in finder.find(item, item.__name__, module=False, globs={"affekt": affekt}):
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("test", list(examples()))
def test_an_example_gives_what_it_shows(test, monkeypatch):
    monkeypatch.chdir(ROOT)
    messages = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=messages.append)
    assert not messages, "".join(messages)
