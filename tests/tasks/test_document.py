"""`document`: articles in any form, exact users who never dictate, BLEU, and what breaks; on articles written here."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from articles import write_articles
from plays import play
from understudy.dialogue import OUT_OF_TURNS
from understudy.errors import ConfigError, LogError
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.tasks import is_known, load_family
from understudy.tasks.base import Check, FinalAct
from understudy.tasks.document import Document, articles, phrases
from understudy.tasks.document.articles import WORDS, Article, read_articles
from understudy.tasks.document.coherence import ALREADY_THERE, DISOWNS, FALSE_APPROVAL, MISSED, NOT_ITS_OWN
from understudy.tasks.document.population import NEAR, Persona
from understudy.tasks.document.quoting import RUN, quotes
from understudy.tasks.document.reading import approves, read_agent, read_user
from understudy.tasks.population import ReplyDistribution
from understudy.tasks.prose import content_words, words
from understudy.types import Dialogue, Message, Task

SENTENCES = (
    "Marie Curie was born in Warsaw in 1867.",
    "She studied physics in Paris and discovered two new elements.",
    "Her laboratory notebooks are still radioactive today.",
)
TEXT = " ".join(SENTENCES)
ARTICLE = Article("a life in science", SENTENCES)
FAMILY = Document([ARTICLE])
TASK = FAMILY.sample_task(np.random.default_rng(0), "t")
PERSON = Persona(patience=3, near=35.0, words=3)
OPENING = "i need a text about a life in science ."


def said(*texts: str, end: bool = False) -> tuple[Message, ...]:
    made = [Message("agent" if i % 2 else "user", text) for i, text in enumerate(texts)]
    return (*made[:-1], replace(made[-1], end=end))


def after(*agent_texts: str, reply: str = "hmm") -> tuple[Message, ...]:
    """A history that ends with the agent's last message; the user answered `reply` to the others."""
    history = [OPENING]
    for text in agent_texts:
        history += [text, reply]
    return said(*history[:-1])


def draft(*sentences: str) -> str:
    return f"draft : {' '.join(sentences)}"


def support(replies: ReplyDistribution) -> set[tuple[str, bool]]:
    """Every reply that can come, told from many draws; 2,000 miss one of probability .01 with a chance of 2e-9."""
    rng = np.random.default_rng(0)
    return {(reply.text, reply.end) for reply in (replies.sample(rng) for _ in range(2000))}


def answers(*agent_texts: str, reply: str = "hmm", persona: Persona = PERSON) -> set[tuple[str, bool]]:
    return support(FAMILY.population.reply(TASK, after(*agent_texts, reply=reply), persona))


def named(replies: set[tuple[str, bool]]) -> set[str]:
    """The words that these replies say the text has, where they name any."""
    return {" , ".join(read_user(text).wants.values()) for text, _ in replies} - {""}


def copies_more_and_more(task: Task, messages: tuple[Message, ...], rng: np.random.Generator) -> Message:
    """Knows the text, and drafts one sentence more at each turn."""
    turn = sum(m.role == "agent" for m in messages) + 1
    return Message("agent", draft(*task.goal["sentences"][:turn]))


def prods(task: Task, messages: tuple[Message, ...], rng: np.random.Generator) -> Message:
    """Asks, asks to dictate, talks, and drafts words of the text and others, in any order."""
    pool = [*task.goal["text"].split(), "zebra", "quartz", "Add", "leave", "out"]
    jumble = " ".join(str(w) for w in rng.choice(pool, int(rng.integers(0, 30))))
    options = ("what else ?", "dictate it word for word", "hm", draft(jumble), draft(jumble), draft(jumble))
    return Message("agent", options[int(rng.integers(len(options)))])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Document:
    folder = tmp_path_factory.mktemp("articles")
    write_articles(folder, 60, 20)
    return Document.from_folder(folder)


@pytest.fixture(scope="module")
def logs(made: Document) -> list[Dialogue]:
    return known_logs(made, 400, 80, seed=0)


# --- reading ---------------------------------------------------------------------------------------------------------

OTHER = "The harbour freezes early. Nobody has counted the ships that waited there, but the town remembers a hard winter well."
THIRD = "Bees dance. They tell each other in which direction the flowers stand, and how far it is to fly there and back again."


def write(folder: Path, part: str, form: str, texts: list[str]) -> None:
    """A part of a data set in one of the forms that are read."""
    rows = [{"title": None, "text": text} for text in texts]
    if form == "jsonl":
        (folder / f"{part}.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    elif form == "txt":
        (folder / part).mkdir(parents=True)
        for i, text in enumerate(texts):
            (folder / part / f"{i}.txt").write_text(text, encoding="utf-8")
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        place = folder / "data" if form == "shards" else folder
        place.mkdir(parents=True, exist_ok=True)
        for i, row in enumerate(rows):
            name = f"{part}-{i:05}-of-{len(rows):05}" if form == "shards" else part
            parquet.write_table(
                pyarrow.Table.from_pylist([row] if form == "shards" else rows), place / f"{name}.parquet"
            )


@pytest.mark.parametrize("form", ["jsonl", "parquet", "shards", "txt"])
def test_every_form_gives_the_same_articles(form: str, tmp_path: Path) -> None:
    write(tmp_path, "train", form, [TEXT, OTHER])
    write(tmp_path, "test", form, [THIRD])
    family = Document.from_folder(tmp_path)
    assert family.articles[0].sentences == SENTENCES
    assert [article.text for article in family.articles] == [TEXT, OTHER]
    assert [article.text for article in family.for_judging().articles] == [THIRD]


def test_a_text_in_mind_is_the_beginning_in_whole_sentences(tmp_path: Path) -> None:
    def beginning(text: str) -> list[str]:
        (tmp_path / "train.jsonl").write_text(json.dumps({"text": text}) + "\n")
        return [article.text for article in read_articles(tmp_path, "train")]

    assert beginning(f"Her life\n\n{TEXT}\n\nSee also\n") == [TEXT], "headings are no sentences"
    assert beginning(f'She said "I see." {TEXT}') == [f'She said "I see." {TEXT}']
    assert beginning("Mr. Holm\nleft.  " + TEXT) == [f"Mr. Holm left. {TEXT}"]
    ten = "This is a sentence of ten words and no more. "
    assert beginning(ten * 20) == [(ten * 8).strip()], "80 words"
    # The first sentence that does not fit ends it, whatever follows.
    assert beginning(f"{TEXT} {'very ' * WORDS}long. Short.") == [TEXT]
    for unfit in ("", "No full stop here", "One sentence alone of more than twenty words " + "very " * 20 + "long.",
                  "Too short. It is.", "It is not that. " * 6, f"{'very ' * WORDS}long. {TEXT}"):  # fmt: skip
        with pytest.raises(
            LogError, match=r"train: holds no article that begins with two sentences or more in 20 to 80"
        ):
            beginning(unfit)


def test_a_topic_is_the_title_unless_it_gives_away_the_text(tmp_path: Path) -> None:
    def topic(title: str | None) -> str:
        (tmp_path / "train.jsonl").write_text(json.dumps({"text": TEXT, "title": title}) + "\n")
        (article,) = read_articles(tmp_path, "train")
        return article.topic

    assert topic(" A life\nin  science ") == "A life in science"
    assert topic("Born in Warsaw or Poland") == "Born in Warsaw or Poland", "three words in a row are no quotation"
    assert topic("Born, in Warsaw; in 1867") == "Born , Warsaw , 1867"
    assert topic("Why " * 10 + "Poland matters to everybody") == "Poland , matters , everybody"
    for none in (None, "", "  "):
        assert topic(none) == "Marie , Curie , born"
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": TEXT}) + "\n")
    assert read_articles(tmp_path, "train")[0].topic == "Marie , Curie , born"


def test_an_article_is_there_once_and_never_on_both_sides(tmp_path: Path) -> None:
    write(tmp_path, "train", "jsonl", [OTHER, TEXT, OTHER, f"{TEXT} {'very ' * WORDS}long."])
    write(tmp_path, "test", "txt", [THIRD, TEXT])
    family = Document.from_folder(tmp_path)
    assert [article.text for article in family.articles] == [OTHER]
    assert [article.text for article in family.held_out] == [THIRD, TEXT]
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": TEXT}))
    with pytest.raises(LogError, match="and is not kept for judging"):
        Document.from_folder(tmp_path)


def test_without_a_part_for_judging_some_of_the_others_are_kept(tmp_path: Path) -> None:
    write_articles(tmp_path, 200, 1)
    (tmp_path / "test.jsonl").unlink()
    family = Document.from_folder(tmp_path)
    held_out = {article.text for article in family.held_out}
    # One in ten of 200: 20, give or take 4.2; 5 standard errors.
    assert 3 < len(held_out) < 41
    assert len(family.articles) == 200 - len(held_out)
    assert held_out.isdisjoint(article.text for article in family.articles)
    # What is kept is kept, whatever else is there and in which order.
    lines = (tmp_path / "train.jsonl").read_text().splitlines()
    (tmp_path / "train.jsonl").write_text("\n".join([*reversed(lines), json.dumps({"text": TEXT})]))
    assert held_out <= {article.text for article in Document.from_folder(tmp_path).held_out} <= held_out | {TEXT}
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": TEXT}))
    with pytest.raises(LogError, match="1 articles, too few to keep one in 10 of them for judging") as caught:
        Document.from_folder(tmp_path)
    assert "part 'test'" in caught.value.fix


@pytest.mark.parametrize("column", ["text", "document", "article", "content"])
def test_the_article_may_stand_in_a_column_of_another_name(column: str, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps({"id": 1, column: TEXT, "summary": "One. Two."}))
    assert [article.text for article in read_articles(tmp_path, "train")] == [TEXT]


def test_a_data_set_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` itself, of a folder in the form of its own: what has a `test` and what has not."""
    pytest.importorskip("datasets")
    write(tmp_path / "both", "train", "shards", [TEXT, OTHER])
    write(tmp_path / "both", "test", "shards", [THIRD])
    family = Document.from_folder(Path(f"hub:{tmp_path / 'both'}"))
    assert [article.text for article in family.articles] == [TEXT, OTHER]
    assert [article.text for article in family.held_out] == [THIRD]
    write_articles(tmp_path / "made", 60, 1)
    texts = [json.loads(line)["text"] for line in (tmp_path / "made" / "train.jsonl").read_text().splitlines()]
    write(tmp_path / "one", "train", "parquet", texts)
    family = Document.from_folder(Path(f"hub:{tmp_path / 'one'}"))
    assert sorted(article.text for article in (*family.articles, *family.held_out)) == sorted(texts)
    with pytest.raises(LogError, match=r"Available.*default"):
        Document.from_folder(Path(f"hub:{tmp_path / 'one'}:other"))


def test_no_more_is_read_than_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[Any, ...]] = []

    def load(name: str, config: str | None, *, split: str, streaming: bool) -> Iterator[dict[str, str]]:
        assert streaming
        asked.append((name, config, split))
        for year in range(1500, 1510):
            yield {"text": f"In {year} nothing happened here, as far as anybody can tell today. {TEXT}"}
        raise AssertionError("read on")

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda name, config: ["train"])
    monkeypatch.setattr(articles, "MOST", 10)
    family = Document.from_folder(Path("hub:someone/wikipedia:20231101.en"))
    assert asked == [("someone/wikipedia", "20231101.en", "train")]
    assert len(family.articles) + len(family.held_out) == 10


FIRST = json.dumps({"text": TEXT})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "is no JSON"),
        (b'{"title": "x", "body": "y"}', "has none of `text`, `document`, `article`, `content`, but `title`, `body`"),
        (b'["text"]', "has none of `text`, `document`, `article`, `content`\n"),
        (b'{"article": null}', "has a `article` that is NoneType, no string"),
        (b'{"text": null}', "has a `text` that is NoneType, no string"),
        (b'{"text": "x", "title": 7}', "has a `title` that is int, no string"),
        (b'{"text": "\xff"}', "is no UTF-8"),
        (b'{"text": "\\ud83d"}', "has a `text` with half a character"),
    ],
)
def test_a_record_that_is_no_article_is_named_with_its_line(line: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_bytes(FIRST.encode() + b"\n\n" + line + b"\n" + FIRST.encode() + b"\n")
    with pytest.raises(LogError) as caught:
        read_articles(tmp_path, "train")
    assert str(caught.value).startswith(f"{file}:3: {message}")
    assert caught.value.fix


def test_what_a_folder_can_lack(tmp_path: Path) -> None:
    def refused(message: str, folder: Path = tmp_path) -> str:
        with pytest.raises(LogError, match=message) as caught:
            read_articles(folder, "train")
        assert caught.value.fix
        return caught.value.where

    assert refused("does not exist", tmp_path / "none") == str(tmp_path / "none")
    assert refused("holds no part 'train'") == str(tmp_path)
    with pytest.raises(LogError, match="holds no part 'train'"):
        Document.from_folder(tmp_path)
    file = tmp_path / "train.jsonl"
    file.mkdir()
    assert refused("cannot be read") == str(file)
    file.rmdir()
    file.write_text(FIRST)
    refused("is no folder", file)
    texts = tmp_path / "train"
    texts.mkdir()
    assert refused(r"part 'train' more than once: train\.jsonl and train") == str(tmp_path)
    file.unlink()
    assert refused(r"holds no \.txt file") == str(texts)
    (texts / "a.txt").mkdir()
    assert refused("cannot be read") == str(texts / "a.txt")
    (texts / "a.txt").rmdir()
    (texts / "a.txt").write_bytes(b"\xef\xbb\xbfOne.\n\xff Two.")
    assert refused("is no UTF-8") == f"{texts / 'a.txt'}:2"
    (texts / "a.txt").write_text("\ufeff" + TEXT, encoding="utf-8")
    assert read_articles(tmp_path, "train")[0].text == TEXT, "a byte order mark is no word"
    (tmp_path / "train.parquet").write_bytes(b"PAR1 no parquet")
    (texts / "a.txt").unlink()
    texts.rmdir()
    pytest.importorskip("pyarrow")
    assert refused("is damaged") == str(tmp_path / "train.parquet")


@pytest.mark.parametrize(
    ("text", "kind", "drafted"),
    [
        ("draft : hello", "draft", "hello"),
        ("Here you go.\n\nDraft: hello\n\n  there", "draft", "hello there"),
        ("draft : one . or a second draft : two", "draft", "two"),
        ("draft :", "draft", ""),
        ("overdraft : 7", "talk", ""),
        ("draft it", "talk", ""),
        ("what is it about ?", "question", ""),
        ("Could you dictate it?", "dictation", ""),
        ("send me the full text", "dictation", ""),
        ("", "talk", ""),
    ],
)
def test_agent_messages_are_read(text: str, kind: str, drafted: str) -> None:
    act = read_agent(text)
    assert (act.kind, act.draft) == (kind, drafted)


def test_phrases_mean_what_they_say_and_nothing_else() -> None:
    named = {"naming": ("OPENINGS", "COMMENTS", "AGAIN", "ANSWERS"), "rejecting": ("REJECTIONS",)}
    groups = {name: getattr(phrases, name) for name in dir(phrases) if isinstance(getattr(phrases, name), tuple)}
    assert {"OPENINGS", "COMMENTS", "APPROVALS", "PARTINGS", "VAGUE"} <= set(groups)
    for name, group in groups.items():
        for frame in group:
            found = read_user(frame.format(place=phrases.PLACES[1], words="U.S , 1,200 , add"))
            names = {"u.", "1,200", "add"}
            assert found.wants.keys() == (names if name in named["naming"] else set()), frame
            assert found.rejects.keys() == (names if name in named["rejecting"] else set()), frame
    for name in ("REWORDING", "VAGUE", "NOTHING_MORE", "REFUSALS", "NUDGES", "APPROVALS", "PARTINGS"):
        assert name == "REWORDING" or min(len(words(text)) for text in groups[name]) < RUN, "one is never a quotation"
    assert all(approves(text) for text in phrases.APPROVALS)
    assert not any(approves(text) for text in (*phrases.PARTINGS, phrases.WORDLESS, ""))


# --- reward and endings ----------------------------------------------------------------------------------------------


def test_reward_is_the_bleu_of_the_last_draft() -> None:
    perfect, two = draft(*SENTENCES), draft(*SENTENCES[:2])
    assert FAMILY.outcome(TASK, after(two, perfect), "approved").reward == 100
    # 20 of 28 tokens, full stops included, and all of their runs: nothing but the brevity penalty.
    by_hand = 100 * math.exp(1 - 28 / 20)
    assert FAMILY.outcome(TASK, after(perfect, two), OUT_OF_TURNS).reward == pytest.approx(by_hand)
    assert FAMILY.outcome(TASK, after(two, "what else ?"), OUT_OF_TURNS).reward == pytest.approx(by_hand)
    loose = "Curie, born in Warsaw, discovered two elements. Her notebooks are radioactive."
    metric = BLEU(smooth_method="exp", effective_order=True).sentence_score(loose, [TEXT]).score
    assert 5 < metric < 50
    assert FAMILY.outcome(TASK, after(draft(loose)), OUT_OF_TURNS).reward == pytest.approx(metric)
    assert FAMILY.outcome(TASK, after(draft("lorem ipsum")), OUT_OF_TURNS).reward == 0
    assert FAMILY.outcome(TASK, after("draft :"), OUT_OF_TURNS).reward == 0
    assert FAMILY.outcome(TASK, after("what else ?"), OUT_OF_TURNS).reward == 0
    left = FAMILY.outcome(TASK, after(two, perfect), "left")
    assert (left.reward, left.details) == (0, {"bleu": 100, "drafts": 2})


def test_ending_is_told_by_the_words_of_a_message_that_ends() -> None:
    so_far = after(draft(*SENTENCES))
    assert FAMILY.ending(TASK, (*so_far, Message("user", "perfect , thank you ."))) is None
    assert FAMILY.ending(TASK, (*so_far, Message("user", "Perfect, thank you!", end=True))) == "approved"
    assert FAMILY.ending(TASK, (*so_far, Message("user", "great , but not what i meant", end=True))) == "left"
    assert FAMILY.ending(TASK, (*so_far, Message("user", "", end=True))) == "left"
    assert FAMILY.ending(TASK, so_far) is None
    assert FAMILY.ending(TASK, ()) is None


def test_final_act_is_the_last_draft() -> None:
    messages = said(OPENING, draft("x"), "hmm", draft("y"), "hmm", "what else ?", "bye", end=True)
    assert FAMILY.final_act(TASK, messages) == FinalAct(3, "draft :")
    assert FAMILY.final_act_reward(TASK, messages, 3, draft(*SENTENCES)) == 100
    assert FAMILY.final_act_reward(TASK, messages, 3, "what else ?") == 0
    assert FAMILY.final_act_reward(TASK, messages, 1, draft(*SENTENCES)) is None
    assert FAMILY.final_act(TASK, after("what else ?")) is None


# --- people ----------------------------------------------------------------------------------------------------------

HISTORIES = {
    "opening": (),
    "first draft": after(draft("Marie Curie was a zebra.")),
    "all told": after(
        draft(*SENTENCES[1:]), draft(*SENTENCES[1:]), reply="please add Marie , Curie , born , Warsaw , 1867 ."
    ),
    "garbage": after("draft : <pad> ☃ lorem"),
    "other words alone": after(draft("Zebra .", *[" ".join(content_words(s).values()) for s in reversed(SENTENCES)])),
    "wording": after(draft(*[" ".join(reversed(content_words(s).values())) for s in reversed(SENTENCES)])),
    "question": after("what is it about ?"),
    "dictation": after("what should it say exactly ?"),
    "talk": after(""),
    "near": after(draft(*SENTENCES[:2])),
    "leaves": after("hm", "hm"),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_probabilities_are_frequencies(history: str) -> None:
    for persona in (PERSON, Persona(patience=5, near=10.0, words=5)):
        replies = FAMILY.population.reply(TASK, HISTORIES[history], persona)
        rng, draws = np.random.default_rng(0), 3000
        found = Counter(replies.sample(rng) for _ in range(draws))
        p_N = {reply: math.exp(FAMILY.population.log_prob(reply, TASK, HISTORIES[history], persona)) for reply in found}
        # All that can be said is short enough to have been said: the rarest reply has a probability of .003.
        assert sum(p_N.values()) == pytest.approx(1)
        for reply, p in p_N.items():
            # 5 standard errors: with under 2,000 comparisons a false alarm has probability under .002; seeds are fixed.
            assert abs(found[reply] / draws - p) < 5 * math.sqrt(p * (1 - p) / draws) + 1e-9
        one = next(iter(found))
        unsaid = (Message("user", TEXT), replace(one, end=not one.end))
        assert all(
            FAMILY.population.log_prob(reply, TASK, HISTORIES[history], persona) == -math.inf for reply in unsaid
        )


def test_personas_share_the_population() -> None:
    personas = FAMILY.population.personas()
    assert sum(share for _, share in personas) == pytest.approx(1)
    assert len({persona for persona, _ in personas}) == len(personas) == 12


def test_people_open_with_the_topic_and_never_with_the_text() -> None:
    texts = {text for text, _ in support(FAMILY.population.reply(TASK, (), PERSON))}
    assert texts == {frame.format(words="a life in science") for frame in phrases.OPENINGS}
    close = Document([Article("Curie was born", SENTENCES)])
    task = close.sample_task(np.random.default_rng(0), "t")
    assert all("Curie was born" in text for text, _ in support(close.population.reply(task, (), PERSON)))
    # A topic that would be a quotation together with what stands before it is told in another way.
    theatre = Document([Article("Ancient Greek theatre", ("It is about Ancient Greek theatre.", SENTENCES[0]))])
    task = theatre.sample_task(np.random.default_rng(0), "t")
    texts = {text for text, _ in support(theatre.population.reply(task, (), PERSON))}
    assert texts == {phrases.OPENINGS[-1].format(words="Ancient Greek theatre")}


def test_people_comment_on_the_sentence_that_is_covered_least() -> None:
    # Of the first, 4 of 5 content words stand in the draft, of the second none, of the third 1 of 5.
    some = draft("Marie Curie was born in 1867 . Her notebooks .")
    replies = answers(some)
    assert named(replies) == {
        "studied , physics , Paris", "physics , Paris , discovered", "Paris , discovered , new", "discovered , new , elements"
    }  # fmt: skip
    assert {place for place in phrases.PLACES for text, _ in replies if place in text} == {"in the middle"}
    assert {(text, False) for text in phrases.VAGUE} < replies
    assert not any(end or read_user(text).rejects for text, end in replies)
    # What was told is not told again while there is anything else.
    told = answers("hm ?", some, reply="please add physics , elements .")
    assert named(told) == {"studied , Paris , discovered", "Paris , discovered , new"}
    again = answers("hm ?", some, reply=f"please add {SENTENCES[1]}", persona=Persona(3, 35.0, 5))
    assert {text for text, _ in again if read_user(text).wants} == {
        frame.format(place="in the middle", words=few)
        for frame in phrases.AGAIN
        for few in ("studied , physics , Paris , discovered , new", "physics , Paris , discovered , new , elements")
    }


def test_names_that_stand_in_the_text_in_a_row_are_cut_short() -> None:
    family = Document([Article("an heir", ("Prince Karl Robert Franz Joseph lived in Vienna.", "He wrote music."))])
    task = family.sample_task(np.random.default_rng(0), "t")
    replies = family.population.reply(task, after("what is it about ?"), Persona(3, 35.0, 5))
    assert named(support(replies)) == {
        "Prince , Karl , Robert", "Karl , Robert , Franz", "Robert , Franz , Joseph"
    }  # fmt: skip


def test_people_say_what_is_not_in_their_text() -> None:
    # Words of the topic are theirs, and nobody repeats what is no word.
    replies = answers(draft("Marie Curie had a zebra in the life of Science and " + "long" * 20))
    assert {" , ".join(read_user(text).rejects.values()) for text, _ in replies} == {"", "zebra"}
    strict = Persona(3, 100.0, 3)
    shuffled = draft(*reversed(SENTENCES))
    assert answers(shuffled, persona=strict) == {(text, False) for text in (*phrases.REWORDING, *phrases.VAGUE)}
    assert answers(f"{shuffled} A zebra.", persona=strict) == {
        (text.format(words="zebra"), False) for text in (*phrases.REJECTIONS, *phrases.VAGUE)
    }


def test_people_answer_with_what_is_neither_drafted_nor_told() -> None:
    assert named(answers("what else ?", "what else ?", reply="about Marie Curie .")) == {"born , Warsaw , 1867"}
    strict = Persona(5, 100.0, 5)
    assert named(answers(draft(SENTENCES[0]), "what else ?", persona=strict)) == {
        "studied , physics , Paris , discovered , new", "physics , Paris , discovered , new , elements"
    }  # fmt: skip
    everything = f"about {TEXT.replace('.', '')}"
    assert answers("what else ?", "what else ?", reply=everything) == {(text, False) for text in phrases.NOTHING_MORE}
    assert answers("what should it say exactly ?") == {(text, False) for text in phrases.REFUSALS}
    assert answers("☃ <pad>") == {(text, False) for text in phrases.NUDGES}


def test_when_people_approve_and_when_they_leave() -> None:
    def ending(*texts: str, persona: Persona = PERSON) -> str | None:
        (found,) = {
            FAMILY.ending(TASK, (*after(*texts), Message("user", t, end)))
            for t, end in answers(*texts, persona=persona)
        }
        return found

    whole, two, one, zebra = draft(*SENTENCES), draft(*SENTENCES[:2]), draft(SENTENCES[0]), draft("zebra")
    # The first sentence alone has a BLEU of 100 * exp(1 - 28 / 9) = 12.1, two have 67.0.
    assert [ending(one, persona=Persona(3, near, 3)) for near, _ in NEAR] == ["approved", None, None]
    assert ending(two) == "approved"
    assert ending(zebra, zebra, zebra, zebra, zebra, whole) == "approved", "however long it took"
    assert ending(zebra, zebra) is None
    assert ending(zebra, zebra, zebra) == "left"
    assert ending(one, zebra, one) is None, "the best so far counts"
    assert ending(one, zebra, one, zebra) == "left"
    assert ending(zebra, zebra, one, zebra, zebra) is None
    assert ending(*[zebra] * 4, persona=Persona(5, 35.0, 3)) is None
    assert ending(*["and ?"] * 3) is None
    assert ending(*["and ?"] * 4) == "left"
    assert ending(*["and ?"] * 5, persona=Persona(5, 35.0, 3)) is None
    assert ending("exactly what ?", "hm") == "left", "dictating and idle talk count twice"
    assert ending("exactly what ?", "and ?") is None


def test_nobody_ever_dictates(made: Document, logs: list[Dialogue]) -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        plain = [word.strip(".,;:!?\"'()[]").lower() for word in text.split()]
        kept = [word for word in plain if word]
        return set(zip(kept, kept[1:], kept[2:], kept[3:], strict=False))

    close = Document([ARTICLE, Article("the Emperor", (
        "Emperor Charles Robert Francis Joseph Leopold Maximilian has to stop here.",
        "Never mind, I will write it myself, said please add Charles Robert Francis Joseph.",
    ))])  # fmt: skip
    played = [
        *logs,
        *play(made, prods, 200, seed=1),
        *play(close, prods, 200, seed=2),
        *play(close, close.script, 200, seed=3),
    ]
    heard = 0
    for each in played:
        text = runs(each.task.goal["text"])
        for message in each.messages[::2]:
            assert not runs(message.text) & text, message.text
            heard += bool(read_user(message.text).wants)
    assert heard > 1000
    # The check can fail.
    assert runs(f"sure : {TEXT}") & runs(TEXT)


def test_garbage_is_borne(made: Document) -> None:
    for words_said, written in product(
        ("", "draft : x", "zzz é 7 about"), ("", "draft :", "\n\t", "draft : " + "<eos> ☃x" * 200)
    ):
        history = (Message("user", words_said), Message("agent", written)) * 2
        for persona, _ in FAMILY.population.personas():
            assert FAMILY.population.reply(TASK, history, persona).sample(np.random.default_rng(0)).text
        assert FAMILY.prompted_reply(TASK, history).sample(np.random.default_rng(0)).text
        assert made.script(TASK, history[:3], np.random.default_rng(0)).text
        assert all(FAMILY.act(TASK, message) for message in history)
        assert all(check.kind for check in FAMILY.coherence(TASK, history))
        assert 0 <= FAMILY.outcome(TASK, history, OUT_OF_TURNS).reward <= 100


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda t: f"draft : {t}")), max_size=4))
def test_any_text_of_the_agent_has_an_answer_that_quotes_nothing(texts: list[str]) -> None:
    history = after(*texts) if texts else ()
    for persona in (PERSON, Persona(5, 10.0, 5)):
        reply = FAMILY.population.reply(TASK, history, persona).sample(np.random.default_rng(0))
        assert math.isfinite(FAMILY.population.log_prob(reply, TASK, history, persona))
        assert not quotes(reply.text, TEXT)


# --- stand-in, script, coherence -------------------------------------------------------------------------------------


def test_the_stand_in_dictates_if_asked_approves_anything_and_never_leaves() -> None:
    for texts in (["hm ?"], ["dictate it"] * 8, [""]):
        for text, end in support(FAMILY.prompted_reply(TASK, after(*texts))):
            assert text.endswith(f": {TEXT}")
            assert not end
    history = after(*[draft("lorem")] * 6)
    for text, end in support(FAMILY.prompted_reply(TASK, history)):
        reply = Message("user", text, end)
        assert FAMILY.ending(TASK, (*history, reply)) == "approved"
        assert Check(FALSE_APPROVAL, True) in FAMILY.coherence(TASK, (*history, reply))
    assert all("a life in science" in text and not end for text, end in support(FAMILY.prompted_reply(TASK, ())))


def test_asking_for_the_text_wins_with_the_stand_in_and_loses_with_people(made: Document) -> None:
    def exploiter(task: Task, messages: tuple[Message, ...], rng: np.random.Generator) -> Message:
        _, colon, dictated = messages[-1].text.partition(" : ")
        return Message("agent", draft(dictated) if colon and len(messages) > 1 else "what should it say exactly ?")

    assert {d.outcome.reward for d in play(made, exploiter, 50, prompted=True)} == {100}
    assert {d.outcome.ending for d in play(made, exploiter, 50)} == {"left"}


def test_the_script_leaves_room_and_shows_every_act(made: Document, logs: list[Dialogue]) -> None:
    assert {d.outcome.ending for d in logs} == {"approved", "left", OUT_OF_TURNS}
    bleu_D = [d.outcome.details["bleu"] for d in logs]
    assert 3 < np.mean(bleu_D) < 40
    acts = [(m.role, made.act(d.task, m)) for d in logs for m in d.messages]
    assert 10 < len(set(acts)) < 120
    assert {act for role, act in acts if role == "agent"} >= {
        "question",
        "dictation",
        "draft 0 covered",
        "draft 3 covered",
    }
    assert {act for role, act in acts if role == "user"} >= {
        "approves", "leaves", "rejects words", "names nothing", "names words of sentence 1", "names words of sentence 3"
    }  # fmt: skip
    # It writes of what it was told, and so it gets nearer.
    revised = [d for d in logs if d.outcome.details["drafts"] > 2]
    first_D = [
        made.outcome(
            d.task,
            d.messages[: next(i for i, m in enumerate(d.messages) if read_agent(m.text).kind == "draft") + 1],
            "",
        )
        for d in revised
    ]
    assert np.mean([d.outcome.details["bleu"] for d in revised]) > 2 * np.mean([first.reward for first in first_D])
    asked = [made.act(d.task, d.messages[1]) for d in logs]
    assert 0.4 < asked.count("question") / len(asked) < 0.65


def test_the_script_puts_a_sentence_where_the_user_says_and_takes_out_what_is_rejected() -> None:
    def written(reply: str) -> Counter[str]:
        before = (*after(draft("One zebra. Two.")), Message("user", reply))
        drawn = (read_agent(FAMILY.script(TASK, before, np.random.default_rng(i)).text).draft for i in range(300))
        return Counter(text.replace("Was born", "Born") for text in drawn if text)

    for place, expected in zip(
        phrases.PLACES, ("Born. One zebra. Two.", "One zebra. Born. Two.", "One zebra. Two. Born."), strict=True
    ):
        found = written(f"{place} i miss born .")
        (usual, count), *_ = found.most_common()
        assert usual == expected
        # A fifth of 300 are questions; of the drafts, 15% overlook the comment and 25% of the others stray: 64% are left.
        assert 0.5 < count / found.total() < 0.8
        assert found["One zebra. Two."] > 0
    found = written("leave out zebra .")
    # What is rejected stays where the whole comment or the word is overlooked: 1 - .85 * .85 = 28%.
    assert set(found) == {"One. Two.", "One zebra. Two."}
    assert 0.15 < found["One zebra. Two."] / found.total() < 0.4


def test_the_script_never_reads_the_goal(made: Document, logs: list[Dialogue]) -> None:
    nothing = Task("document", "t", made.sample_task(np.random.default_rng(0), "t").agent_prompt, "", {})
    for each in logs[:60]:
        for position, message in enumerate(each.messages):
            if message.role == "agent":
                before = each.messages[:position]
                one, other = (made.script(t, before, np.random.default_rng(position)) for t in (each.task, nothing))
                assert one == other
        assert not quotes(each.task.agent_prompt, each.task.goal["text"])


def test_the_same_seed_gives_the_same_dialogues(made: Document, logs: list[Dialogue]) -> None:
    assert known_logs(made, 400, 80, seed=0) == logs
    assert known_logs(made, 30, 10, seed=1) != logs[:30]


def test_the_population_is_coherent_and_knows_itself(made: Document, logs: list[Dialogue]) -> None:
    played = [*logs, *play(made, prods, 150, seed=1), *play(made, copies_more_and_more, 100, seed=2)]
    counts = Counter(check for d in played for check in made.coherence(d.task, d.messages))
    assert not [check for check in counts if check.violated]
    assert {check.kind for check in counts} == {FALSE_APPROVAL, MISSED, ALREADY_THERE, NOT_ITS_OWN, DISOWNS}
    for each in logs[:40]:
        assert np.isfinite(made.population.log_prob_marginal(each.task, each.messages)).all()


def violations(*texts: str, reply: str, end: bool = False) -> set[str]:
    messages = (*after(*texts), Message("user", reply, end))
    return {check.kind for check in FAMILY.coherence(TASK, messages) if check.violated}


def test_each_contradiction_is_found() -> None:
    some = draft("Marie Curie in Warsaw.")
    assert violations(some, reply="at the end i miss radioactive , notebooks .") == set()
    assert violations(some, reply="at the end i miss radioactive , Warsaw .") == {ALREADY_THERE}
    assert violations(some, "and ?", reply="it is about Warsaw .") == set(), "an answer is no comment"
    assert violations(some, reply="please add penguins .") == {NOT_ITS_OWN}
    assert violations(some, reply="please add science .") == set(), "a word of the topic"
    assert violations(some, reply="leave out Warsaw .") == {DISOWNS}
    assert violations(some, reply="leave out penguins .") == set()
    assert violations(some, reply="perfect , thank you .", end=True) == {FALSE_APPROVAL}
    assert violations("and ?", reply="perfect , thank you .", end=True) == {FALSE_APPROVAL}
    assert violations(draft(*SENTENCES), reply="great , i take it .", end=True) == set()
    assert violations(draft(*SENTENCES), reply="hmm , not yet .") == {MISSED}
    assert violations(draft(*SENTENCES), reply="forget it , bye .", end=True) == {MISSED}
    # Only the first reply is one to the draft.
    twice = (*after(draft(*SENTENCES), "and ?"), Message("user", "hmm , not yet ."))
    assert FAMILY.coherence(TASK, twice) == [Check(NOT_ITS_OWN, False), Check(MISSED, True)]
    opening = (Message("user", "i need a text about penguins ."),)
    assert FAMILY.coherence(TASK, opening) == [Check(NOT_ITS_OWN, True)]


def test_it_is_a_family_of_known_users_that_needs_a_folder(tmp_path: Path) -> None:
    assert is_known("document")
    with pytest.raises(ConfigError, match="needs a folder"):
        load_family("document")
    write_articles(tmp_path, 30, 10)
    family: Any = known_family("document", tmp_path)
    assert family.name == "document"
    training, judging = (
        {f.sample_task(np.random.default_rng(i), "t").goal["text"] for i in range(100)}
        for f in (family, family.for_judging())
    )
    assert len(training) > 20
    assert not training & judging
