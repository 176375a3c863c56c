"""Every request that the OpenAPI description allows, and many that it does not."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from test_server import serving

from affekt.server.app import create
from affekt.server.settings import Settings


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("openapi"), megabytes=1) as at:
        yield at


@pytest.fixture(scope="module")
def described(address):
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True,
          phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
def test_the_server_keeps_to_its_description(case, address):
    case.call_and_validate(base_url=address)
