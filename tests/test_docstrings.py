"""Docstrings of the package: who calls a function with many parameters learns what each is."""

import ast
from pathlib import Path

import affekt

ROOT = Path(affekt.__file__).parent
MANY = 4
ELSEWHERE = "see `"  # an implementation of an interface that documents its parameters


def functions(path):
    """The functions of a file, each with the docstring of its class if it is a constructor."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        own = node.body if isinstance(node, ast.ClassDef | ast.Module | ast.If) else []
        for function in own:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(function) or ""
                if function.name == "__init__":
                    text += ast.get_docstring(node) or ""
                yield function, text


def undocumented(path):
    for function, text in functions(path):
        decorators = " ".join(ast.unparse(d) for d in function.decorator_list)
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        names = [a.arg for a in arguments if a.arg not in ("self", "cls")]
        # The help of commands and of the server's endpoints stands in annotations, too.
        if len(names) < MANY or any(x in decorators for x in ("overload", "command", "router")):
            continue
        missing = [name for name in names if f"{name}:" not in text]
        if missing and ELSEWHERE not in text.lower():
            yield f"{path}:{function.lineno} {function.name}: {missing}"


def test_functions_with_four_or_more_parameters_document_each():
    found = [line for path in sorted(ROOT.rglob("*.py")) for line in undocumented(path)]
    assert not found, "\n".join(found)


def test_a_missing_parameter_is_found(tmp_path):
    lines = [
        "def f(a, b, c, d):",
        '    """Do.',
        "",
        "    Args:",
        *(f"        {x}: X." for x in "abd"),
    ]
    (tmp_path / "planted.py").write_text("\n".join([*lines, '    """', ""]))
    [found] = undocumented(tmp_path / "planted.py")
    assert found.endswith("planted.py:1 f: ['c']")
