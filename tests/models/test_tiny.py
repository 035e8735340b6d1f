"""The tokenizer of models made from scratch: what one side says, the other hears in the tokens that it learned to read."""

from __future__ import annotations

import pytest

from understudy.align.sft import texts_of
from understudy.models.tiny import train_tokenizer
from understudy.pipeline.known_logs import known_family, known_logs

OTHERS = ["1", "12 books and 305 hats", "i take 2 , u get 3", "it 's 3pm , isn't it ?", "two  spaces", "café 7 ½"]


@pytest.mark.parametrize("name", ["elicit", "edit", "haggle"])
def test_what_is_said_comes_back_from_its_tokens(name: str) -> None:
    logs = known_logs(known_family(name), 60, 10, seed=0)
    tokenizer = train_tokenizer(texts_of(logs, "user"), 512)
    for text in [*(m.text for d in logs for m in d.messages), *OTHERS]:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids).strip() == text.strip()
        assert tokenizer.encode(tokenizer.decode(ids).strip(), add_special_tokens=False) == ids


def test_digits_stand_alone() -> None:
    tokens = train_tokenizer(["i take 12 books and 12 hats"] * 9, 300).tokenize("i take 12 books")
    assert tokens[-4:-1] == ["Ġ", "1", "2"]
