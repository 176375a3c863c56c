"""The JavaScript client against a real server, in Node and in a browser."""

import json
import os
import re
import shutil
import subprocess
from functools import partial

import pytest
from helpers import DEMO, LIVELY, ROOT, free_port, serving

from affekt.audio.decoding import read
from affekt.inference.recognizer import load
from affekt.inference.stream import Stream

FOLDER = ROOT / "clients/javascript"
SCENARIO = ROOT / "tests/client/scenario.mjs"
NODE = shutil.which("node")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
STREAMS = ["--experimental-websocket"]  # before Node 22; later ones ignore it
PCM = (read(DEMO[0]).wave * 32767).astype("<i2")
needs_node = pytest.mark.skipif(not NODE, reason="no Node here")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("state"), token="secret") as address:
        yield address


def check(found):
    whole = load()(DEMO[0])
    starts = [u.start for u in whole.utterances]
    assert found["models"] == ["default"]
    assert found["label"] == whole.label
    assert found["starts"] == found["waited"] == starts
    assert found["several"] == [whole.label, True, 422]
    assert found["single"] == 422
    assert found["same"] is True
    assert found["events"] == [*(["utterance", start] for start in starts[1:]), ["done", "done"]]
    assert found["result"] == len(starts)
    for (code, text), expected in zip(
        found["errors"],
        [(404, "no job with this id"), (422, "unknown parameter sepakers"), (401, "Bearer")],
        strict=True,
    ):
        assert code == expected[0]
        assert expected[1] in text


def check_live(found):
    utterances = []
    stream = Stream(load(), ended=utterances.append, hop=0.48)
    expected = stream.push(PCM) + stream.close()
    assert [end for end, _ in found["segments"]] == pytest.approx([s.end for s in expected])
    assert found["utterances"] == [[u.start, u.label] for u in utterances]
    assert found["slow"] == pytest.approx(2.4)  # of 2.5 s, at hops of 0.24 s
    bad_data, no_model, own, token, nobody, no_class = found["errors"]
    assert bad_data[:2] == [True, 1007]
    assert "not a multiple of the size of int16" in bad_data[2]
    assert no_model == [True, 1008, "no model of this name; there are default"]
    assert own == [False, None, "no microphone"]
    assert token[:2] == [True, 1008]
    assert nobody == [True, 1006, "the stream was closed with code 1006"]
    assert no_class[2].startswith("no WebSocket here")


def node(folder, script):
    (folder / "main.mjs").write_text(script)
    (folder / "node_modules").mkdir()
    (folder / "node_modules/affekt").symlink_to(FOLDER)
    done = subprocess.run(
        [NODE, *STREAMS, "main.mjs"], cwd=folder, capture_output=True, text=True, timeout=60,
        env=os.environ | {"NODE_NO_WARNINGS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_node
def test_in_node(server, tmp_path):
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ File }} from "node:buffer";
        import * as affekt from "affekt";
        import {{ scenario }} from "{SCENARIO}";
        globalThis.File ??= File; // before Node 20
        const found = await scenario(affekt, "{server}", readFileSync("{DEMO[0]}"));
        console.log(JSON.stringify(found));
    """
    check(json.loads(node(tmp_path, script)))


@needs_node
def test_live_in_node(server, tmp_path):
    (tmp_path / "call.raw").write_bytes(PCM.tobytes())
    gone = f"http://127.0.0.1:{free_port()}"
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import * as affekt from "affekt";
        import {{ liveScenario }} from "{SCENARIO}";
        const pcm = Uint8Array.from(readFileSync("call.raw"));
        console.log(JSON.stringify(await liveScenario(affekt, "{server}", pcm, "{gone}")));
    """
    check_live(json.loads(node(tmp_path, script)))


def _serve(served, route):
    route.fulfill(**served)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")
def test_in_a_browser(server):
    from playwright.sync_api import sync_playwright

    files = {"affekt.js": FOLDER / "affekt.js", "scenario.mjs": SCENARIO}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        for name, file in files.items():  # as if the page's own site served them
            served = {"body": file.read_text("utf-8"), "content_type": "text/javascript"}
            page.route(f"**/{name}", partial(_serve, served))
        page.goto(server)
        found = page.evaluate(
            """async (data) => {
                const affekt = await import("/affekt.js");
                const { scenario } = await import("/scenario.mjs");
                return scenario(affekt, location.origin, Uint8Array.from(data));
            }""",
            [*LIVELY],
        )
        live = page.evaluate(
            """async ([data, gone]) => {
                const affekt = await import("/affekt.js");
                const { liveScenario } = await import("/scenario.mjs");
                return liveScenario(affekt, location.origin, Uint8Array.from(data), gone);
            }""",
            [[*PCM.tobytes()], f"http://127.0.0.1:{free_port()}"],
        )
        browser.close()
    check(found)
    check_live(live)


@needs_node
@pytest.mark.parametrize("page", ["clients/javascript/README.md", "docs/en/how-to/clients.md"])
def test_the_example_runs_as_written(page, tmp_path):
    examples = re.findall("```js\n(.*?)```", (ROOT / page).read_text("utf-8"), re.S)
    output = []
    with serving(tmp_path / "state") as address:
        for number, example in enumerate(examples):
            folder = tmp_path / str(number)
            folder.mkdir()
            shutil.copy(DEMO[0], folder / "call.wav")
            (folder / "call.raw").write_bytes(PCM.tobytes())
            script = example.replace("http://127.0.0.1:8000", address)
            output.append(node(folder, script).splitlines())
    recorded, live = output
    whole = load()(DEMO[0])
    assert recorded[0] == f"{whole.label} {len(whole.utterances)}"
    assert len(recorded) == 1 + len(whole.utterances)
    assert sum(line.startswith("utterance ") for line in live) == len(whole.utterances)
    assert len(live) > 15  # segments, at hops of 0.24 s


@needs_node
def test_an_unreachable_server_is_named(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    script = f"""
        import {{ Client }} from "affekt";
        const client = new Client("{url}", {{ retries: 1 }});
        await client.models().catch((error) => console.log(error.code, error.message));
    """
    assert node(tmp_path, script).startswith(f"0 {url}: connect ECONNREFUSED")
