"""Generated requests, valid and invalid under the OpenAPI description (schemathesis)."""

import pytest
import schemathesis
from helpers import serving
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

TOKEN = "secret"
ROUTES = [
    ("GET", "/v1/models"), ("POST", "/v1/models/reload"),
    ("POST", "/v1/recognise"), ("POST", "/v1/audio/emotions"),
    ("POST", "/v1/jobs"), ("GET", "/v1/jobs"), ("DELETE", "/v1/jobs"),
    ("GET", "/v1/jobs/{job}"), ("DELETE", "/v1/jobs/{job}"), ("GET", "/v1/jobs/{job}/events"),
    ("POST", "/v1/adaptations"), ("GET", "/v1/adaptations"),
    ("GET", "/v1/adaptations/{adaptation}"), ("DELETE", "/v1/adaptations/{adaptation}"),
    ("GET", "/v1/stream"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
]  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    state, adapt = (tmp_path_factory.mktemp(name) for name in ("openapi", "models"))
    with serving(state, adapt=adapt, megabytes=1, token=TOKEN) as address:
        yield address


@pytest.fixture(scope="module")
def described(address):
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


def test_every_route_is_described(described):
    found = [operation.ok() for operation in described.get_all_operations()]
    assert {(o.method.upper(), o.path) for o in found} == set(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_the_server_conforms_to_its_description(route, described, address):
    method, path = route

    @given(case=described[path][method].as_strategy())
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def conforms(case):
        # No schema can say which bytes are a recording.
        own = {"Authorization": f"Bearer {TOKEN}"}
        case.call_and_validate(
            base_url=address, headers=own, excluded_checks=[positive_data_acceptance]
        )

    conforms()
