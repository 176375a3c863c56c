"""The layers of the package: a module imports only from floors below its own."""

import ast
from pathlib import Path

import affekt

ROOT = Path(affekt.__file__).parent
FLOORS = [  # from the ground up; what stands on one floor does not know its neighbours
    ("errors", "plural", "sanitise", "content", "worker_process"),
    ("extras", "own_parts", "requirement", "valence_arousal"),
    ("types", "progress", "metrics", "atomic"),
    ("renamed_settings",),
    ("config", "run_manifest"),
    ("recipe",),
    ("audio",),
    ("nn",),
    ("inference", "export"),  # no labels here: corpora and training stand above
    ("corpora",),
    ("provenance",),
    ("run_result",),
    ("dimension_result",),
    ("report.console",),
    ("report.model_card",),
    ("training",),
    ("evaluation",),
    ("report",),
    ("formats", "paper"),
    ("batch", "client", "server", "api"),
    ("cli",),
    ("__main__",),
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def floor(*module):
    """The floor of a module, by its file or by its package."""
    names = (".".join(module[:2]), module[0])
    return FLOOR[next(name for name in names if name in FLOOR)]


def imports(path):
    """Modules that a file of the package imports when it is loaded."""
    package = path.relative_to(ROOT).parent.parts
    tree = ast.parse(path.read_text("utf-8"))
    lazy = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test))
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and node not in lazy:
            base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            yield from ([*filter(None, base), alias.name] for alias in node.names)


def test_every_module_imports_from_floors_below_it():
    for path in sorted(ROOT.rglob("*.py")):
        own = path.relative_to(ROOT).with_suffix("").parts
        if own[0] == "__init__":  # the public face
            continue
        for target in imports(path):
            if target[0] not in (own[0], "__version__"):
                assert floor(*target) < floor(*own), f"{path} imports {'.'.join(target)}"
