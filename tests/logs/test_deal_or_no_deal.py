"""The authors' format: two mirrored lines per negotiation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.errors import LogError
from understudy.logs.deal_or_no_deal import Negotiation, read_negotiations, read_scenarios

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests" / "fixtures" / "deal_or_no_deal"
REAL = Path(os.environ.get("UNDERSTUDY_DATA") or ROOT.parent / "shared" / "data") / "deal_or_no_deal"

LINE = (
    "<input> 1 2 3 1 1 5 </input> <dialogue> YOU: book and ball ? <eos> THEM: deal <eos> YOU: <selection> </dialogue> "
    "<output> item0=1 item1=0 item2=1 item0=0 item1=3 item2=0 </output> <partner_input> 1 1 3 3 1 0 </partner_input>"
)
TWIN = (
    "<input> 1 1 3 3 1 0 </input> <dialogue> THEM: book and ball ? <eos> YOU: deal <eos> THEM: <selection> </dialogue> "
    "<output> item0=0 item1=3 item2=0 item0=1 item1=0 item2=1 </output> <partner_input> 1 2 3 1 1 5 </partner_input>"
)


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "train.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("lines", [(LINE, TWIN), (TWIN, LINE)])
def test_twins_are_one_negotiation_told_from_neither_side(tmp_path: Path, lines: tuple[str, str]) -> None:
    found, summary = read_negotiations(write(tmp_path, *lines))
    assert found == [
        Negotiation(
            line=1,
            counts=(1, 3, 1),
            first_values=(2, 1, 5),
            second_values=(1, 3, 0),
            texts=("book and ball ?", "deal"),
            ending="agreed",
            first_takes=(1, 0, 1),
            second_takes=(0, 3, 0),
        )
    ]
    assert str(summary) == (
        "2 lines: 1 negotiations (1 agreed, 0 disagreed, 0 no deal, 0 disconnected), 0 lines without a twin"
    )


def test_lines_without_a_twin_are_left_out_and_listed(tmp_path: Path) -> None:
    other_result = TWIN.replace("item0=0 item1=3 item2=0 item0=1 item1=0 item2=1", " ".join(["<disagree>"] * 6))
    other_values = TWIN.replace("1 1 3 3 1 0", "1 3 3 1 1 4")
    other_words = TWIN.replace("deal <eos>", "no deal <eos>")
    # The same negotiation twice has four lines; a third telling of one side is one too many.
    found, summary = read_negotiations(
        write(tmp_path, other_result, LINE, other_values, TWIN, LINE, TWIN, other_words, LINE)
    )
    assert [negotiation.line for negotiation in found] == [2, 5]
    assert summary.unpaired == (1, 3, 7, 8)
    assert (summary.lines, summary.negotiations) == (8, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</input>", "", "does not read <input>"),
        ("<input> 1 2 3 1 1 5", "<input> 1 2 3 1 1", "<input> is '1 2 3 1 1', not six whole numbers"),
        ("<input> 1 2 3 1 1 5", "<input> 1 2 3 1 1 x", "not six whole numbers"),
        ("<input> 1 2 3 1 1 5", "<input> 1 2 3 1 1 ²", "not six whole numbers"),
        ("<input> 1 2 3 1 1 5", "<input> 1 2 3 1 1 6", "<input>: all items are worth 11 points, not 10"),
        ("<partner_input> 1 1 3 3 1 0", "<partner_input> 1 1 2 4 1 1", "of the sides differ"),
        ("THEM: deal", "ME: deal", "a message does not begin with YOU: or THEM:"),
        ("THEM: deal", "YOU: deal", "YOU and THEM do not take turns"),
        ("YOU: <selection>", "YOU: bye", "<selection> must be the last message"),
        ("THEM: deal", "THEM: <selection>", "<selection> must be the last message"),
        ("item0=1 item1=0", "item0=1 item1=1", "<output> gives (1, 1, 1) and (0, 3, 0), but there are (1, 3, 1)"),
        ("item0=1 item1=0", "<disagree> <disagree>", "<output> is"),
    ],
)
def test_a_malformed_line_names_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert LINE.replace(old, new, 1) != LINE
    path = write(tmp_path, LINE, TWIN, LINE.replace(old, new, 1))
    with pytest.raises(LogError) as caught:
        read_negotiations(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot be read"):
        read_negotiations(tmp_path / "none.txt")
    empty = tmp_path / "empty.txt"
    empty.touch()
    for reader in (read_negotiations, read_scenarios):
        with pytest.raises(LogError, match=r"is empty|has 0 lines"):
            reader(empty)


def test_scenarios(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.txt"
    path.write_text("1 2 3 1 1 5\n1 1 3 3 1 0\n")
    assert read_scenarios(path) == [((1, 3, 1), (2, 1, 5), (1, 3, 0))]
    path.write_text("1 2 3 1 1 5\n1 1 2 4 1 1\n")
    with pytest.raises(LogError, match=r"scenarios.txt:2: counts \(1, 2, 1\) differ"):
        read_scenarios(path)
    path.write_text("1 2 3 1 1 5\n")
    with pytest.raises(LogError, match="has 1 lines"):
        read_scenarios(path)


def test_the_fixture() -> None:
    train, summary = read_negotiations(FIXTURE / "train.txt")
    assert (len(train), summary.agreed, summary.disagree, summary.disconnect) == (24, 21, 2, 1)
    _, validation = read_negotiations(FIXTURE / "val.txt")
    assert (validation.negotiations, validation.no_agreement, validation.unpaired) == (6, 1, (13,))
    assert len(read_scenarios(FIXTURE / "selfplay_scenarios.txt")) == 18


@pytest.mark.skipif(
    not REAL.is_dir(), reason="needs the Deal or No Deal corpus in UNDERSTUDY_DATA or ../shared/data (see README)"
)
def test_the_real_corpus() -> None:
    train, summary = read_negotiations(REAL / "train.txt")
    assert str(summary) == (
        "8600 lines: 4300 negotiations (3940 agreed, 332 disagreed, 0 no deal, 28 disconnected), 0 lines without a twin"
    )
    validation, summary = read_negotiations(REAL / "val.txt")
    # 1,087 lines: 525 pairs and 37 lines without a twin; half the lines are the "about 544" that is often quoted.
    assert (len(validation), len(summary.unpaired), summary.lines) == (525, 37, 1087)
    assert (summary.agreed, summary.disagree, summary.no_agreement, summary.disconnect) == (422, 46, 54, 3)
    for negotiation in (*train, *validation):
        for takes, values in (
            (negotiation.first_takes, negotiation.first_values),
            (negotiation.second_takes, negotiation.second_values),
        ):
            if takes is not None:
                assert 0 <= sum(a * b for a, b in zip(takes, values, strict=True)) <= 10
    assert len(read_scenarios(REAL / "selfplay_scenarios.txt")) == 4086
