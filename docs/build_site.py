"""Build the documentation site into ``site/``, and check every link of it.

``make docs`` runs this. The pages of each language are copied to ``build/docs/`` with the files of
the repository that they link to, and Zensical renders them from there.
"""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import reference

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STAGED = ROOT / "build" / "docs"
SITE = ROOT / "site"
LANGUAGES = ("en", "zh")
LINK = re.compile(r"(?<=\]\()[^)\s#]+")
START = '<!doctype html><meta http-equiv="refresh" content="0; url=en/index.html">'
SWITCH = re.compile(r'href="[^"]*"(?= hreflang="(en|zh)")')


def main() -> None:
    """Stage, render and check all pages; exit with 1 at the first warning or broken link."""
    for folder in (STAGED, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    reference.write()
    for language in LANGUAGES:
        stage(language)
    for language in LANGUAGES:
        render(language)
    (SITE / "index.html").write_text(START, "utf-8")
    pages = sorted(SITE.rglob("*.html"))
    for page in pages:
        page.write_text(switched(page), "utf-8")
    broken = [f"{page.relative_to(SITE)}: {link}" for page in pages for link in broken_links(page)]
    if broken:
        sys.exit("broken links:\n" + "\n".join(broken))
    print(f"{len(pages)} pages: {SITE / 'index.html'}")


def stage(language: str) -> None:
    """Copy the pages of one language, and the files that they link to, below ``STAGED``."""
    waiting = {path: path.relative_to(HERE) for path in (HERE / language).rglob("*.md")}
    waiting |= {path: Path(language, "assets", path.name) for path in (HERE / "assets").iterdir()}
    done: dict[Path, Path] = {}
    while waiting:
        source, target = waiting.popitem()
        done[source] = target
        (STAGED / target).parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".md":
            shutil.copy(source, STAGED / target)
            continue
        text = source.read_text("utf-8")
        for link in set(LINK.findall(text)):
            linked = Path(os.path.normpath(source.parent / link))
            if "://" in link or not linked.is_file():
                continue
            if not linked.is_relative_to(HERE) or linked.suffix != ".md":
                goal = Path(language, "files", linked.relative_to(ROOT))
                if linked not in done:
                    waiting[linked] = goal
            elif linked.is_relative_to(HERE / language):
                goal = linked.relative_to(HERE)
            else:  # a page of the other language, which is rendered on its own
                goal = linked.relative_to(HERE).with_suffix(".html")
            new = os.path.relpath(goal, target.parent)
            text = re.sub(rf"(?<=\]\(){re.escape(link)}(?=[)#])", new, text)
        (STAGED / target).write_text(text, "utf-8")


def render(language: str) -> None:
    """Run Zensical on the staged pages of one language; its warnings are errors."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    environment = os.environ | {
        "NO_COLOR": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT / "src")]),
    }
    done = subprocess.run(
        [*command, "-f", f"mkdocs.{language}.yml"], cwd=ROOT, env=environment, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    (SITE / language / "404.html").unlink()  # it links from the root of a host, which is unknown


def switched(page: Path) -> str:
    """The page with a language switch that leads to the same page, where it is translated."""
    own = Path(*page.relative_to(SITE).parts[1:])

    def link(match: re.Match[str]) -> str:
        goal = SITE / match[1] / own
        goal = goal if goal.is_file() else SITE / match[1] / "index.html"
        return f'href="{Path(os.path.relpath(goal, page.parent)).as_posix()}"'

    return SWITCH.sub(link, page.read_text("utf-8"))


class _Links(HTMLParser):
    """Collects what a page links to, and the anchors that it offers."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                (self.links if tag == "a" else self.loaded).append(value)
            elif name == "id" and value:
                self.anchors.add(value)


def broken_links(page: Path) -> list[str]:
    """Links to files or anchors that do not exist, and what is loaded from another host."""
    found = _Links(page)
    broken = [link for link in found.loaded if re.match(r"https?:", link)]
    for link in found.links + found.loaded:
        path, anchor = urldefrag(unquote(link))
        if re.match(r"(https?|mailto|data):", path):
            continue
        goal = page if not path else (page.parent / path.partition("?")[0])
        if not goal.exists() or (
            anchor and goal.suffix == ".html" and anchor not in _Links(goal).anchors
        ):
            broken.append(link)
    return broken


if __name__ == "__main__":
    main()
