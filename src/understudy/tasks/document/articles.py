"""Articles from a folder, cut to the beginnings that users have in mind."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import LogError
from understudy.logs.sources import raw_records
from understudy.tasks.document.quoting import quotes
from understudy.tasks.prose import content_words, sentences

TRAIN, TEST = "train", "test"
LEAST_WORDS, WORDS = 20, 80
"""The text in mind has so many words, in whole sentences; a shorter one leaves nothing to comment on."""
TITLE_WORDS, TOPIC_WORDS = 12, 3
"""Longest title that is told as it stands; words of a topic otherwise."""
_FIX = (
    f"give a folder with {TRAIN} and {TEST}, each as a .jsonl or .parquet file with `text` (and `title`, if there is one) "
    "or as a folder of .txt files"
)
_SENTENCE = re.compile(r"[.?!][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Article:
    """What a user has in mind: the article's first sentences, two or more, and its topic."""

    topic: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def read_articles(folder: Path, part: str, without: Collection[Article] = ()) -> list[Article]:
    """The beginnings of a part's articles, each once, in order.

    Read are `part.jsonl`; `part.parquet` or `part-*.parquet`, there or in `data/` as Hugging Face keeps them; or the `.txt`
    files of `part/`. Articles that don't begin with two sentences or more in `LEAST_WORDS` to `WORDS` words are left out.

    Args:
        without: articles to leave out, if they are there.

    Raises:
        LogError: naming file and line, if the part is missing or there twice, a file cannot be read, a record has no text,
            or no article is left.
    """
    others = {article.text for article in without}
    found: dict[str, Article] = {}
    for file in _files(folder, part):
        for text, title in [(_whole(file), "")] if file.suffix == ".txt" else _records(file):
            article = _beginning(text, title)
            if article is not None and article.text not in others:
                found.setdefault(article.text, article)
    if not found:
        raise LogError(
            f"holds no article that begins with two sentences or more in {LEAST_WORDS} to {WORDS} words"
            + (" and is not kept for judging" if without else ""),
            where=str(folder / part),
            fix="give articles in prose; a sentence ends in a full stop, a question or an exclamation mark",
        )
    return list(found.values())


def _files(folder: Path, part: str) -> list[Path]:
    if not folder.is_dir():
        raise LogError("is no folder" if folder.exists() else "does not exist", where=str(folder), fix=_FIX)
    lines, texts = folder / f"{part}.jsonl", folder / part
    patterns = [f"{place}{part}{rest}.parquet" for place in ("", "data/") for rest in ("", "-*")]
    tables = sorted(path for pattern in patterns for path in folder.glob(pattern))
    forms = [form for form in ([lines] if lines.exists() else [], tables, [texts] if texts.is_dir() else []) if form]
    if not forms:
        raise LogError(f"holds no part {part!r}", where=str(folder), fix=_FIX)
    if len(forms) > 1:
        names = " and ".join(form[0].relative_to(folder).as_posix() for form in forms)
        raise LogError(f"holds part {part!r} more than once: {names}", where=str(folder), fix="leave one of them there")
    if forms[0] != [texts]:
        return forms[0]
    files = sorted(texts.glob("*.txt"))
    if not files:
        raise LogError("holds no .txt file", where=str(texts), fix=_FIX)
    return files


def _records(file: Path) -> Iterator[tuple[str, str]]:
    """Text and title (empty if there is none) of every record."""
    for raw in raw_records(file):
        if raw.problem:
            raise LogError(f"is {raw.problem} ({raw.detail})", where=raw.where, fix=_FIX)
        if not isinstance(raw.record, dict) or "text" not in raw.record:
            raise LogError("has no `text`", where=raw.where, fix=_FIX)
        text, title = raw.record["text"], raw.record.get("title") or ""
        for key, value in (("text", text), ("title", title)):
            if not isinstance(value, str):
                raise LogError(f"has a `{key}` that is {type(value).__name__}, no string", where=raw.where, fix=_FIX)
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise LogError(f"has a `{key}` with half a character", where=raw.where, fix="write the file as UTF-8")
        yield text, title


def _whole(file: Path) -> str:
    try:
        stored = file.read_bytes()
        return stored.decode().removeprefix("\ufeff")
    except OSError as error:
        raise LogError(f"cannot be read: {error.strerror}", where=str(file), fix="check the file") from None
    except UnicodeDecodeError as error:
        line = stored.count(b"\n", 0, error.start) + 1
        raise LogError("is no UTF-8", where=f"{file}:{line}", fix="save the file as UTF-8") from None


def _beginning(text: str, title: str) -> Article | None:
    # Headings and items of lists don't end as sentences do.
    whole = (s for part in re.split(r"\n\s*\n", text) for s in sentences(part) if _SENTENCE.search(s))
    taken: list[str] = []
    room = WORDS
    for sentence in whole:
        room -= len(sentence.split())
        if room < 0:
            break
        taken.append(sentence)
    beginning = " ".join(taken)
    if len(taken) < 2 or len(beginning.split()) < LEAST_WORDS or not content_words(beginning):
        return None
    return Article(_topic(" ".join(title.split()), beginning), tuple(taken))


def _topic(title: str, text: str) -> str:
    """The title, unless it gives away the text; else the first content words, of the title if it has any."""
    if title and len(title.split()) <= TITLE_WORDS and not quotes(title, text):
        return title
    return " , ".join(list((content_words(title) or content_words(text)).values())[:TOPIC_WORDS])
