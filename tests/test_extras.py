"""Every optional dependency belongs to an extra of pyproject, and a missing one names it."""

import re
import tomllib

import pytest
from helpers import ROOT

from affekt import AffektError
from affekt.errors import MissingExtraError
from affekt.extras import EXTRA_OF, MODULES, optional_import

PACKAGES = {
    "fsspec": "fsspec[http]",
    "grpc": "grpcio",
    "mlflow": "mlflow-skinny",
    "multipart": "python-multipart",
    "opentelemetry": "opentelemetry-sdk",
    "ray": "ray[data]",
    "sklearn": "scikit-learn",
}


@pytest.mark.parametrize("module", EXTRA_OF)
def test_a_module_is_installed_by_its_extra(module):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    packages = [re.split("[>=<]", p)[0] for p in extras[EXTRA_OF[module]]]
    name = PACKAGES.get(module, module.replace("_", "-"))
    assert name in packages or (module == "starlette" and "fastapi" in packages)
    assert set(MODULES) <= extras.keys()


def test_a_missing_module_names_its_extra():
    with pytest.raises(MissingExtraError) as caught, optional_import("an audformat folder"):
        raise ModuleNotFoundError("No module named 'audformat.core'", name="audformat.core")
    assert str(caught.value) == (
        "an audformat folder needs the extra 'baselines': pip install 'affekt[baselines]'"
    )
    assert isinstance(caught.value, AffektError)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_another_missing_module_is_a_defect():
    with pytest.raises(ModuleNotFoundError), optional_import("this"):
        import no_such_module  # noqa: F401
