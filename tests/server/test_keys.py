"""Keys: scopes, limits, jobs of one's own, revocation while the server runs."""

import httpx
import pytest
from helpers import LIVELY, affekt, ended, form, serving

from affekt.errors import AffektError
from affekt.server import keys as module
from affekt.server.keys import Key, KeyRing, read_keys, token_hash, write_keys


def key(token, **values):
    return Key(sha256=token_hash(token), **values)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_key_is_found_by_its_token_until_it_is_revoked(tmp_path):
    file = tmp_path / "keys.json"
    write_keys(file, {"ann": key("a"), "bob": key("b")})
    assert file.stat().st_mode & 0o777 == 0o600
    assert "token" not in file.read_text()
    ring = KeyRing(file)
    assert ring.find("a") == ("ann", key("a"))
    assert ring.find("b")[0] == "bob"
    assert ring.find("") is None
    write_keys(file, {"bob": key("b")})
    assert ring.find("a") is None
    assert ring.find("b")[0] == "bob"


@pytest.mark.parametrize("text", ["", "[]", '{"ann": {"sha256": "x"}}', '{"ann": {"scope": []}}'])
def test_nobody_is_let_in_by_a_damaged_file(tmp_path, text):
    file = tmp_path / "keys.json"
    write_keys(file, {"ann": key("a")})
    ring = KeyRing(file)
    assert ring.find("a")
    file.write_text(text)
    for _ in range(2):
        with pytest.raises(AffektError, match="not a file of keys"):
            ring.find("a")
    file.unlink()
    with pytest.raises(AffektError, match="cannot be read"):
        ring.find("a")


def test_a_key_may_be_used_so_often_a_minute(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    file = tmp_path / "keys.json"
    write_keys(file, {"ann": key("a", per_minute=3), "bob": key("b")})
    ring = KeyRing(file)
    ring.find("a")
    assert [ring.wait("ann") for _ in range(4)] == [0, 0, 0, pytest.approx(20)]
    now += 19
    assert ring.wait("ann") == pytest.approx(1)
    now += 1.001
    assert ring.wait("ann") == 0
    assert ring.wait("ann") > 0
    assert [ring.wait("bob") for _ in range(99)] == [0] * 99


def test_clients_use_what_their_keys_allow_and_see_their_own_jobs(tmp_path):
    file = tmp_path / "keys.json"
    listener = key("l", scopes=("stream",))
    keys = {"ann": key("a"), "bob": key("b"), "listener": listener,
            "boss": key("m", scopes=("jobs", "admin")), "few": key("f", per_minute=1)}  # fmt: skip
    write_keys(file, keys)
    with serving(tmp_path / "state", keys=file) as address:

        def ask(method, path, token, **options):
            headers = bearer(token) if token else {}
            return httpx.request(method, address + path, headers=headers, timeout=60, **options)

        assert ask("GET", "/v1/models", "").status_code == 401
        assert ask("GET", "/v1/models", "wrong").status_code == 401
        assert ask("GET", "/v1/models", "l").status_code == 200
        refused = ask("POST", "/v1/recognise", "l", **form(LIVELY))
        assert refused.status_code == 403
        assert refused.json()["detail"] == "this key does not have the scope recognise"
        assert ask("GET", "/metrics", "a").status_code == 403
        assert ask("GET", "/v1/models", "f").status_code == 200
        beyond = ask("GET", "/v1/models", "f")
        assert beyond.status_code == 429
        assert 50 <= int(beyond.headers["retry-after"]) <= 60
        job = ask("POST", "/v1/jobs", "a", **form(LIVELY)).json()["id"]
        with httpx.Client(base_url=address, headers=bearer("a"), timeout=60) as ann:
            assert ended(ann, job)["status"] == "done"
            assert ann.delete("/v1/jobs?tag=x").json() == {"deleted": 0}
        for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/events"):
            assert ask("GET", path, "b").status_code == 404
        assert ask("DELETE", f"/v1/jobs/{job}", "b").status_code == 404
        assert ask("GET", "/v1/jobs", "b").json()["jobs"] == []
        for token in ("a", "m"):
            assert [j["id"] for j in ask("GET", "/v1/jobs", token).json()["jobs"]] == [job]
        assert affekt("keys", "revoke", file, "ann").returncode == 0
        assert ask("GET", "/v1/models", "a").status_code == 401
        assert ask("GET", "/v1/models", "b").status_code == 200
        file.write_text("{")
        assert ask("GET", "/v1/models", "b").status_code == 503


def test_the_commands_write_and_print_keys(tmp_path):
    file = tmp_path / "keys.json"
    added = affekt("keys", "add", file, "ann", "--scopes", "jobs", "--per-minute", "60")
    assert added.returncode == 0, added.stderr
    token = added.stdout.strip()
    assert read_keys(file) == {"ann": key(token, scopes=("jobs",), per_minute=60)}
    assert affekt("keys", "list", file).stdout == "ann: jobs, 60 a minute\n"
    for arguments, text in (
        (("add", file, "ann"), "has a key ann"),
        (("add", file, "bob", "--scopes", "all"), "no scope all; there are recognise, jobs"),
        (("add", file, "bob", "--per-minute", "0"), "must be at least 1"),
        (("revoke", file, "bob"), "has no key bob; there are ann"),
        (("list", tmp_path / "none"), "cannot be read"),
    ):
        refused = affekt("keys", *arguments)
        assert refused.returncode == 2
        assert text in refused.stderr
    assert list(tmp_path.iterdir()) == [file]
