"""Articles from a folder, cut to the beginnings that users have in mind."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.config import on_hub
from understudy.errors import LogError
from understudy.logs.sources import Raw, has_part, part_files, part_records, raw_records
from understudy.tasks.document.quoting import quotes
from understudy.tasks.prose import content_words, sentences

TRAIN, TEST = "train", "test"
LEAST_WORDS, WORDS = 20, 80
"""The text in mind has so many words, in whole sentences; a shorter one leaves nothing to comment on."""
TITLE_WORDS, TOPIC_WORDS = 12, 3
"""Longest title that is told as it stands; words of a topic otherwise."""
TEXTS = ("text", "document", "article", "content")
"""What the column with the article may be called; the first of these that is there is taken."""
MOST = 20_000
"""Articles that are taken of a part, the first ones: every process of a run reads and holds them."""
KEPT = 10
"""One in so many is kept for judging where there is no part for that."""
_FIX = (
    f"give a folder with {TRAIN} and {TEST} (else one in {KEPT} of {TRAIN} is kept for judging), each as a .jsonl or .parquet "
    f"file with `text` ({', '.join(TEXTS[1:])} are read as well) and `title`, if there is one, or as a folder of .txt files; "
    "or hub:owner/name"
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


def read_both(data: Path) -> tuple[list[Article], list[Article]]:
    """The articles to train with and those to judge with, none in both.

    These are the parts `train` and `test`. Without a `test`, one article in `KEPT` of `train` is kept for judging, by a hash
    of its text alone: the same ones whatever else is there.

    Raises:
        LogError: see `read_articles`; or if `train` has too few to keep one.
    """
    if has_part(data, TEST, texts=True):
        held_out = read_articles(data, TEST)
        return read_articles(data, TRAIN, held_out), held_out
    found = read_articles(data, TRAIN)
    held_out = [article for article in found if _is_kept(article)]
    training = [article for article in found if not _is_kept(article)]
    if not held_out or not training:
        raise LogError(
            f"{TRAIN} holds {len(found)} articles, too few to keep one in {KEPT} of them for judging",
            where=str(data),
            fix=f"give more, or a part {TEST!r}",
        )
    return training, held_out


def _is_kept(article: Article) -> bool:
    return hashlib.sha256(article.text.encode()).digest()[0] % KEPT == 0


def read_articles(data: Path, part: str, without: Collection[Article] = ()) -> list[Article]:
    """The beginnings of a part's articles, each once, in order; no more than `MOST`, and nothing is read after these.

    Read are records with `text` (or another of `TEXTS`; `part_records`), or a folder `part/` of `.txt` files. Articles that
    don't begin with two sentences or more in `LEAST_WORDS` to `WORDS` words are left out.

    Args:
        without: articles to leave out, if they are there.

    Raises:
        LogError: naming file and line, if the part is missing or there twice, a file cannot be read, a record has no text,
            or no article is left.
    """
    others = {article.text for article in without}
    found: dict[str, Article] = {}
    for text, title in _texts(data, part):
        article = _beginning(text, title)
        if article is not None and article.text not in others:
            found.setdefault(article.text, article)
        if len(found) == MOST:
            break
    if not found:
        raise LogError(
            f"holds no article that begins with two sentences or more in {LEAST_WORDS} to {WORDS} words"
            + (" and is not kept for judging" if without else ""),
            where=str(data / part),
            fix="give articles in prose; a sentence ends in a full stop, a question or an exclamation mark",
        )
    return list(found.values())


def _texts(data: Path, part: str) -> Iterator[tuple[str, str]]:
    """Text and title (empty if there is none) of every article."""
    if on_hub(data):
        yield from map(_text, part_records(data, part, fix=_FIX))
        return
    for file in part_files(data, part, fix=_FIX, texts=True):
        if file.suffix == ".txt":
            yield _whole(file), ""
        else:
            yield from map(_text, raw_records(file))


def _text(raw: Raw) -> tuple[str, str]:
    if raw.problem:
        raise LogError(f"is {raw.problem} ({raw.detail})", where=raw.where, fix=_FIX)
    record = raw.record if isinstance(raw.record, dict) else {}
    column = next((name for name in TEXTS if name in record), None)
    if column is None:
        known = ", ".join(f"`{name}`" for name in TEXTS)
        there = f", but {', '.join(f'`{name}`' for name in record)}" if record else ""
        raise LogError(f"has none of {known}{there}", where=raw.where, fix=_FIX)
    text, title = record[column], record.get("title") or ""
    for key, value in ((column, text), ("title", title)):
        if not isinstance(value, str):
            raise LogError(f"has a `{key}` that is {type(value).__name__}, no string", where=raw.where, fix=_FIX)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise LogError(f"has a `{key}` with half a character", where=raw.where, fix="write the file as UTF-8")
    return text, title


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
