"""A dotted path names a part outside the package; what is wrong with it is said at once."""

import sys

import pytest

from affekt import AffektError, CheckpointError
from affekt.config import Config
from affekt.own_parts import (
    dotted_path,
    from_text,
    import_part,
    is_dotted_path,
    known_or_dotted,
    require_trust,
)
from affekt.recipe import read_config


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module `own_NUMBER` in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    name = f"own_{abs(hash(tmp_path)) % 10**8}"

    def write(text):
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "dotted"),
    [
        ("a:B", True), ("a.b:C", True), ("a.b.C", True), ("a.b:C.d", True),
        ("whisper", False), ("a:", False), (":B", False), ("a b:C", False), ("1a:B", False),
        ("a/b.py:C", False), ("higher-order", False), ("", False),
    ],
)  # fmt: skip
def test_the_form_of_a_dotted_path(name, dotted):
    assert is_dotted_path(name) is dotted


def test_a_near_miss_of_a_known_name_is_suggested():
    assert known_or_dotted("mean", ["mean", "attention"]) == "mean"
    with pytest.raises(ValueError, match="did you mean 'attention'"):
        known_or_dotted("atention", ["mean", "attention"])
    with pytest.raises(ValueError, match="choose one of mean, attention"):
        known_or_dotted("x", ["mean", "attention"])


def test_arguments_from_the_command_line_have_types():
    assert [from_text(t) for t in ("8", "0.5", "true", "[1, 2]", "mel", 3)] == [
        8, 0.5, True, [1, 2], "mel", 3,
    ]  # fmt: skip
    encoder = {"name": "a:B", "options": {"width": "8", "kind": "mel"}}
    config = read_config(None, {"encoder": encoder})
    assert config.encoder.options == {"width": 8, "kind": "mel"}
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_both_spellings_import_the_same_object_from_the_current_folder(module):
    name = module("class Part:\n    class Inner: pass\n")
    part = import_part(f"{name}:Part", "a")
    assert import_part(f"{name}.Part", "a") is part
    assert import_part(f"{name}:Part.Inner", "a") is part.Inner
    assert dotted_path(part.Inner) == f"{name}:Part.Inner"
    assert sys.path[0] != str(module)  # searched last


def test_a_file_here_hides_no_installed_package(module, tmp_path):
    module("")
    (tmp_path / "sklearn.py").write_text("raise RuntimeError('hidden')")
    assert import_part("sklearn.svm:SVC", "a").__name__ == "SVC"


@pytest.mark.parametrize(
    ("path", "text", "reason", "cause"),
    [
        ("no_such_module_1:X", "", "there is no module 'no_such_module_1' in", ModuleNotFoundError),
        ("{}.sub:X", "", "there is no module", ModuleNotFoundError),
        ("{}:Prat", "Part = 1", "has no 'Prat'; did you mean 'Part'", type(None)),
        (
            "{}:X",
            "import no_such_module_2",
            "failed: ModuleNotFoundError.*no_such_module_2",
            ModuleNotFoundError,
        ),
        ("{}:X", "1 / 0", "failed: ZeroDivisionError", ZeroDivisionError),
    ],
)
def test_an_import_error_is_explained_and_keeps_its_cause(module, path, text, reason, cause):
    name = module(text)
    with pytest.raises(AffektError, match=reason) as caught:
        import_part(path.format(name), "encoder.name")
    assert str(caught.value).startswith("encoder.name = ")
    assert isinstance(caught.value.__cause__, cause)


def test_what_is_local_to_a_function_has_no_path():
    class Local:
        pass

    with pytest.raises(AffektError, match="top of a module"):
        dotted_path(Local)


def test_a_model_folder_imports_nothing_without_consent(module, tmp_path, monkeypatch):
    name = module("raise RuntimeError('was run')")
    with pytest.raises(CheckpointError, match=f"needs {name}:X.*AFFEKT_TRUST={name}"):
        require_trust(tmp_path, ["whisper", f"{name}:X"], trust=False)
    require_trust(tmp_path, ["whisper", "mean"], trust=False)
    require_trust(tmp_path, [f"{name}:X"], trust=True)
    require_trust(tmp_path, ["pytest:X"], trust=False)  # imported already
    monkeypatch.setenv("AFFEKT_TRUST", f"other, {name}")
    require_trust(tmp_path, [f"{name}:X"], trust=False)
