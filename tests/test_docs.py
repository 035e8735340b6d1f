"""The README and the docs: links lead somewhere, names are defined where the link says, quoted code is the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from understudy.config import CompareConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"!?\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_QUOTE = re.compile(r"<!-- quoted from (\S+) -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)`")


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def relative_links(page: Path) -> list[tuple[str, str, str]]:
    """Text, path and anchor of each link to a file; code blocks hold none."""
    found = _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    inside = [(text, *target.partition("#")) for text, target in found if not re.match(r"[a-z]+:", target)]
    return [(text, path, anchor) for text, path, _, anchor in inside]


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown page's headings get."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def defined(path: Path) -> set[str]:
    """Names of all functions, classes, methods, and variables or fields outside of functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef | ast.Module):
            for line in node.body:
                targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_the_pages_are_there() -> None:
    assert {"README.md", "docs/method.md", "docs/tasks.md"} <= {page_id(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_page_says_something(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(("# ", "<"))
    assert len(text.split()) > 200


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_to_files(page: Path) -> None:
    broken = []
    for _, path, anchor in relative_links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}" if anchor else path)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_linked_names_are_defined_there(page: Path) -> None:
    """A link that is just a name in code, to a Python file, promises that the file defines it."""
    lost = []
    for text, path, _ in relative_links(page):
        name, target = _NAME.fullmatch(text), page.parent / path
        if name and target.suffix == ".py" and target.exists() and not text.endswith(".py`"):
            missing = set(name[1].split(".")) - defined(target)
            lost += [f"{part} in {path}" for part in sorted(missing)]
    assert not lost


def test_quoted_code_is_the_code() -> None:
    quotes = [(page, *quote) for page in PAGES for quote in _QUOTE.findall(page.read_text(encoding="utf-8"))]
    assert {source for _, source, _ in quotes} >= {"examples/own_task.py", "examples/own_user.py"}
    for page, source, block in quotes:
        code = (ROOT / source).read_text(encoding="utf-8")
        assert f"\n{block}" in f"\n{code}", f"{page_id(page)} quotes what {source} does not say:\n{block}"


def test_the_stated_lengths_of_examples_are_theirs() -> None:
    """Lines that are not empty, as somebody would count what there is to read."""
    text = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
    stated = re.findall(r"\((\.\./examples/own_\w+\.py)\)[^\[\n]* in (?:some )?(\d+) lines", text)
    assert len(stated) == 3
    for path, lines in stated:
        code = (ROOT / "docs" / path).read_text(encoding="utf-8")
        assert int(lines) == sum(bool(line.strip()) for line in code.splitlines()), path


def test_the_stated_numbers_of_logs_are_the_defaults() -> None:
    stated = re.search(
        r"([\d,]+) and ([\d,]+) dialogues by default", (ROOT / "docs/method.md").read_text(encoding="utf-8")
    )
    assert stated is not None
    logs = CompareConfig().logs
    expected = [round(logs.dialogues * share) for share in (logs.agent_share, logs.align_share)]
    assert [int(number.replace(",", "")) for number in stated.groups()] == expected
