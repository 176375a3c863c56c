"""Parts that a user writes himself and names by a dotted path.

An encoder, a pooling, a system of an evaluation and a corpus layout can stand outside the
package: ``my_package.encoders:MyEncoder`` or ``my_package.encoders.MyEncoder`` names a class or
function of an installed package, or of a file in the current folder.

Naming a part in a recipe or an option runs its module. A model folder may come from anywhere, so
that the parts named in its ``config.json`` are imported only with consent, see `require_trust`.
"""

import ast
import difflib
import json
import os
import pickle
import re
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from .content import hash_files, hash_value
from .errors import AffektError, CheckpointError

NAME = r"[^\W\d]\w*"
DOTTED = re.compile(rf"{NAME}(\.{NAME})*:{NAME}(\.{NAME})*|{NAME}(\.{NAME})+")
TRUST = "AFFEKT_TRUST"  # environment variable: packages whose parts a model folder may name


def is_dotted_path(name: str) -> bool:
    """Whether a name has the form of a dotted path; nothing is imported."""
    return DOTTED.fullmatch(name) is not None


def known_or_dotted(name: str, known: Iterable[str]) -> str:
    """Check the name of a part.

    Args:
        name: What a setting or an option says.
        known: Names of the parts inside the package.

    Returns:
        The name.

    Raises:
        ValueError: Neither a known name nor a dotted path; the message suggests the nearest name.
    """
    known = list(known)
    if name in known or is_dotted_path(name):
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}"
    raise ValueError(f"{hint} A part of your own is named as in my_package.module:Name")


def from_text(value: Any) -> Any:
    """An argument of a part: text that reads as JSON (``8``, ``true``) becomes what it says.

    The command line gives text alone, a recipe gives typed values.
    """
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def split_path(path: str) -> tuple[str, str]:
    """Module and attribute of a dotted path."""
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    return module, attribute


def import_part(path: str, what: str) -> Any:
    """Import the object that a dotted path names; the current folder is searched last.

    Args:
        path: ``package.module:Name`` or ``package.module.Name``.
        what: The setting or option that names it, for messages.

    Raises:
        AffektError: No such module or attribute, or the module fails on import.
    """
    module_name, attribute = split_path(path)
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last: a file here must not hide an installed package
    try:
        part: Any = import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise AffektError(
                f"{what} = {path!r}: there is no module {missing!r} in {here} or among the "
                "installed packages; run affekt from the folder that holds it, or install it"
            ) from error
        raise AffektError(
            f"{what} = {path!r}: importing {module_name} failed: {type(error).__name__}: {error}"
        ) from error
    for name in attribute.split("."):
        if not hasattr(part, name):
            near = difflib.get_close_matches(name, vars(part), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AffektError(f"{what} = {path!r}: {module_name} has no {name!r}{hint}")
        part = getattr(part, name)
    return part


def hash_sources(path: str, what: str) -> str:
    """Hash the source files of a part: of its package or module, and of what that imports nearby.

    Nearby are modules in the folder of the package or module, unless it is an installed one.

    Args:
        path: Dotted path of the part.
        what: The setting or option that names it, for messages.

    Returns:
        16 hexadecimal digits; "" for a part of an interactive session, which has no file.

    Raises:
        AffektError: As of `import_part`.
    """
    import_part(path, what)
    module = sys.modules[split_path(path)[0]]
    if not (file := getattr(module, "__file__", None)):
        return ""
    inside = module.__name__.count(".") + (Path(file).name == "__init__.py")
    root = Path(file).resolve().parents[inside]
    top = module.__name__.partition(".")[0] if inside else Path(file).stem
    installed = "site-packages" in root.parts
    files = _module_files(root, top) or [Path(file).resolve()]  # a compiled module
    for source in files:  # grows while it is read
        names = () if installed else sorted(_imported(source))
        files += [f for name in names for f in _module_files(root, name) if f not in files]
    hashes = hash_files(files)
    return hash_value(sorted((f.relative_to(root).as_posix(), hashes[str(f)]) for f in files))


def hash_instance(part: object) -> str:
    """Hash the attributes of an object; the hash differs each time if it cannot be pickled."""
    try:
        content = pickle.dumps(part)
    except Exception:  # of any kind: its class decides
        content = os.urandom(8)
    return hash_value(content)


def _module_files(root: Path, name: str) -> list[Path]:
    """Source files of a module or package of a folder; none if the folder does not have it."""
    if (root / f"{name}.py").is_file():
        return [root / f"{name}.py"]
    return sorted((root / name).rglob("*.py"))


def _imported(source: Path) -> set[str]:
    """Names of the top-level modules that a source file imports."""
    names: set[str] = set()
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError):  # not Python, or of another version
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def dotted_path(part: Any) -> str:
    """The dotted path of a class or function.

    Raises:
        AffektError: It is local to a function, so that it cannot be imported again.
    """
    if "<" in part.__qualname__:
        raise AffektError(
            f"{part.__qualname__} is defined inside a function; define it at the top of a module, "
            "where it can be imported again"
        )
    return f"{part.__module__}:{part.__qualname__}"


def require_trust(folder: Path, names: Iterable[str], *, trust: bool) -> None:
    """Refuse a model folder that would import code without the user's consent.

    Consent is `trust`, the package's name in ``$AFFEKT_TRUST`` (several with commas), or that the
    module is imported already.

    Args:
        folder: The model folder.
        names: Names of its parts; those inside the package need no consent.
        trust: Whether the caller trusts all that the folder names.

    Raises:
        CheckpointError: A part whose module would have to be imported first.
    """
    trusted = {name.strip() for name in os.environ.get(TRUST, "").split(",")}
    modules = {name: split_path(name)[0] for name in names if is_dotted_path(name)}
    packages = {name: module.partition(".")[0] for name, module in modules.items()}
    unknown = [name for name in modules if modules[name] not in sys.modules]
    needed = [name for name in unknown if packages[name] not in trusted]
    if needed and not trust:
        raise CheckpointError(
            f"{folder}: this model needs {', '.join(needed)}: code that is not part of affekt and "
            "that loading would run. If you know and trust it, import "
            f"{', '.join(dict.fromkeys(modules[n] for n in needed))} before you load the model, or "
            "load it with trust_own_parts=True; for commands set "
            f"{TRUST}={','.join(dict.fromkeys(packages[n] for n in needed))}"
        )
