"""The command line as a stranger meets it: help without heavy imports, one clear message for each mistake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config

from articles import write_articles
from chat_formats import tokenizer
from command import understudy
from fake_endpoint import Server, serve
from understudy.align.sft import texts_of
from understudy.config import ModelConfig
from understudy.endpoint.answers import ANSWERS, SCORES, AnswerStore
from understudy.logs.read import read_dialogues
from understudy.logs.record import ROLE_NAMES
from understudy.models.chat_model import ChatModel
from understudy.models.tiny import make_tiny
from understudy.results import ArmResult, ForecastReport, InteractivityResult, ShiftReport
from understudy.runs import write_json

SMALL = [
    "rl.steps=1", "rl.messages_per_step=32", "rl.min_groups=2", "sft.steps=3", "sft.copying_steps=3",
    "logs.dialogues=120", "logs.people=40", "judge.dialogues=16", "judge.tuning_dialogues=10",
    "judge.shift_dialogues=16", "judge.shift_min_alive=10", "judge.temperatures=[1.0]", "sampling.max_message_tokens=12",
    "model.layers=1", "user_model.layers=1", "unseen_user_model.layers=1",
]  # fmt: skip


def small(*more: str) -> list[str]:
    return [part for setting in (*SMALL, *more) for part in ("--set", setting)]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom understudy.cli.app import app\n"
        "result = CliRunner().invoke(app, ['--help'])\nassert result.exit_code == 0, result.output\n"
        "assert 'demo' in result.output\n"
        "print([m for m in ('torch', 'transformers', 'sklearn', 'scipy', 'matplotlib', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_pages_and_tables_load_no_model() -> None:
    """Reading logs and making pages must stay light: in memory, and in time."""
    code = (
        "import sys, understudy.report, understudy.cli.tables, understudy.logs.importing\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--set", "rl.stps=3"], ["rl.stps", "rl.steps"]),
        (["demo", "--set", "rl.steps=many"], ["rl.steps", "many"]),
        (["demo", "--task", "elicitt"], ["elicitt", "elicit"]),
        (["compare", "--task", "negotiate"], ["negotiate", "--data"]),
        (["compare", "--config", "missing.yaml"], ["missing.yaml"]),
        (["compare", "--engine", "banana"], ["rl.engine", "'local', 'trl' or 'verl'"]),
        (["compare", "--task", "negotiate", "--data", "."], ["train.txt"]),
        (["report", "nothing-here"], ["nothing-here"]),
        (["logs", "sample", "negotiate", "--out", "x.jsonl"], ["negotiate", "elicit"]),
        (["compare", "--set", "log_sizes=[9000]"], ["9000"]),
        (["compare", "--preset", "pretrained", "--set", "model.base=x"], ["unseen_user_model.base", "pretrained"]),
        (["logs", "import", "absent", "--out", "x"], ["absent", "hub:owner/name"]),
        (["logs", "scrub", "absent.jsonl", "--out", "x"], ["absent.jsonl"]),
        (["logs", "split", "absent.jsonl", "--out", "x", "--shares", "align"], ["align", "align=0.6"]),
        (["logs", "split", "absent.jsonl", "--out", "x", "--shares", "../a=1"], ["../a"]),
        (["logs", "describe", "absent.jsonl"], ["absent.jsonl"]),
        (["logs", "describe", "absent.jsonl", "--out", "logs.jsonl"], ["logs.jsonl", ".html"]),
        (["logs", "import", "absent", "--out", "x", "--columns", "who=a"], ["who=a", "role=author"]),
        (["align", "absent", "--out", "x"], ["absent", "hub:owner/name"]),
        (
            [
                "align",
                __file__.replace("test_cli.py", "fixtures"),
                "--out",
                "x",
                "--set",
                "user_model.base=absent/model",
                "--set",
                "sft.learning_rate=1e-4",
            ],
            ["absent/model"],
        ),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    done = understudy(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert list(tmp_path.iterdir()) == [], "nothing may be left behind"


def test_logs_are_written_in_the_messages_form(tmp_path: Path) -> None:
    done = understudy("logs", "sample", "haggle", "--out", "logs.jsonl", "--dialogues", "12", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(read_dialogues(tmp_path / "logs.jsonl")) == 12


def test_ctrl_c_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\ndef read(record):\n    pathlib.Path('started').touch()\n    time.sleep(60)\n"
    )
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n')
    command = [
        sys.executable,
        "-m",
        "understudy",
        "logs",
        "import",
        "in.jsonl",
        "--out",
        "logs",
        "--format",
        "slow:read",
    ]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    # A shell starts what it puts into the background with SIGINT ignored, and a test run may be such a thing.
    running = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "stopped" in said
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "slow.py", "started"]


def test_ones_own_logs_from_import_to_a_page(tmp_path: Path) -> None:
    thread = [["c", "mail ann@example.org , it is broken"], ["us", "which one ?"], ["c", "number {}"], ["us", "ok"]]
    tickets = [
        {
            "ticket": n,
            "customer": f"c-{n}",
            "solved": n % 2 == 0,
            "thread": [[w, t.format(n * 7919)] for w, t in thread],
        }
        for n in range(20)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(t) + "\n" for t in [*tickets, {"ticket": 99}]))
    root = Path(__file__).resolve().parents[1]
    steps = (
        ["import", "in.jsonl", "--out", "logs", "--format", "examples.own_reader:read_ticket"],
        ["scrub", "logs/dialogues.jsonl", "--out", "clean.jsonl"],
        ["split", "clean.jsonl", "--out", "splits", "--shares", "a=0.5,b=0.5", "--similarity", "2"],
        ["describe", "clean.jsonl"],
    )
    said = ""
    for step in steps:
        done = understudy("logs", *step, cwd=tmp_path, path=str(root))
        assert done.returncode == 0, done.stderr
        said += done.stdout
    for expected in (
        "a ticket without a thread",
        "replaced: EMAIL",
        "known persons",
        "stops with message 2",
        "ends: solved",
    ):
        assert expected in said
    assert len((tmp_path / "splits/a.jsonl").read_text().splitlines()) == 10
    assert "ann@example.org" not in (tmp_path / "clean.jsonl").read_text()
    assert "stop hazard" in (tmp_path / "clean.html").read_text()


@pytest.mark.slow
def test_demo_from_logs_to_report_and_resume_refuses_another_config(tmp_path: Path) -> None:
    small_run = small("residual.candidates=2", "residual.contexts=100")
    done = understudy("demo", "--out", "run", "--jobs", "1", *small_run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    for arm in ("base", "control", "static", "interactive", "calibrated", "oracle"):
        assert arm in page
    assert "illustrative" in page
    assert "SFT alone" in page, "the aligned user's model without its residual energy is measured beside it"

    again = understudy("demo", "--out", "run", "--jobs", "1", *small_run, cwd=tmp_path)
    assert again.returncode == 2
    assert "--resume" in again.stderr

    other = understudy("demo", "--out", "run", "--resume", *small_run, "--set", "rl.clip=0.3", cwd=tmp_path)
    assert other.returncode == 2
    assert "rl.clip" in other.stderr

    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    write_json(tmp_path / "run" / "manifest.json", {**manifest, "git_revision": "abc"})
    resumed = understudy("demo", "--out", "run", "--resume", "--jobs", "1", *small_run, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "note: run goes on with other code" in resumed.stderr
    assert "git_revision: abc, now " in resumed.stderr


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path) -> None:
    small_run = small("arms=[base,calibrated]", "rl.steps=2", "rl.checkpoint_every=1", "residual.candidates=1")
    demo = ("demo", "--jobs", "1", *small_run)
    whole = understudy(*demo, "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    for place, stage in enumerate(("user-aligned", "calibrated", "judge-calibrated")):
        killed_in(tmp_path / "run" / "scratch" / "haggle" / "seed0" / stage, *demo, *(["--resume"] if place else []))
    ended = understudy(*demo, "--out", "run", "--resume", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = [results(tmp_path / run) for run in ("whole", "run")]
    assert {"judge-base", "judge-calibrated", "shift", "users"} <= set(found[0])
    assert found[0] == found[1]


def killed_in(scratch: Path, *arguments: str) -> None:
    """Start a run and kill it, workers included, as soon as a stage has begun."""
    run = scratch.parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "understudy", *arguments, "--out", run.name],
        cwd=run.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not scratch.exists():
        assert process.poll() is None, "it ended before it came to the stage"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def results(run: Path) -> dict[str, object]:
    """What every stage of a cell found, without what it cost."""
    found = {}
    for path in (run / "stages" / "haggle" / "seed0").glob("*/result.json"):
        found[path.parent.name] = {
            name: value for name, value in json.loads(path.read_text()).items() if name != "cost"
        }
    return found


@pytest.mark.slow
def test_negotiate_runs_on_a_corpus_in_the_authors_format(tmp_path: Path) -> None:
    data = Path(__file__).parent / "fixtures" / "deal_or_no_deal"
    done = understudy(
        "compare", "--task", "negotiate", "--data", str(data), "--seed", "0", "--out", "run", "--jobs", "1",
        *small(
            "referee_model.layers=1", "arms=[base,static,interactive,calibrated,oracle]",
            "referee.candidates=3", "referee.members=2", "residual.candidates=1", "judge.tuning_dialogues=40",
        ), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    for shown in ("referee (models of people)", "pareto", "Do the agents still speak like people?", "held-out people"):
        assert shown in page
    cell = tmp_path / "run" / "stages" / "negotiate" / "seed0"
    chosen = json.loads((cell / "user-referee" / "history.json").read_text())
    bits = chosen["held_out_bits_per_character"]
    assert len(bits) == 3
    assert chosen["members"] == sorted(bits, key=lambda name: bits[name])[:2]
    assert len(list((cell / "user-referee").glob("model-*"))) == 2
    judged = json.loads((cell / "judge-calibrated" / "result.json").read_text())
    assert set(judged["language"]["heard"]) == {"T=1", "tuned", "greedy"}
    assert set(judged["decoding"]["tuned"]["details"]) == {"user_points", "agreed", "pareto"}
    # The referee has a likelihood, so the aligned user's distance from it can be told.
    users = json.loads((cell / "users" / "result.json").read_text())
    assert users["people_heard"]["low"] > 1
    assert users["reply_shift"]["aligned user"]
    shift = json.loads((cell / "shift" / "result.json").read_text())
    assert set(shift["policy"]) == set(shift["simulator"]) == {"base", "static", "interactive", "calibrated", "oracle"}


@pytest.mark.slow
@pytest.mark.enable_socket
def test_a_prompted_llm_takes_the_stand_ins_place(tmp_path: Path) -> None:
    made = Server(says="i want it all")
    for running in serve(made):
        base_url = f"http://127.0.0.1:{running.server_address[1]}/v1"
        (tmp_path / "p.jinja").write_text("you want {{ goal or 'all' }}")
        done = understudy(
            "compare", "--task", "haggle", "--seed", "0", "--out", "run", "--jobs", "1",
            *small(
                "arms=[base,interactive]", "residual.candidates=1", "prompted.model=fake", f"prompted.base_url={base_url}",
                "prompted.prompt=p.jinja", "prompted.price_in=1000", "prompted.price_out=1000",
            ), cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    assert "prompted LLM (fake)" in page
    assert "answers of the prompted LLM" in page
    shown = done.stdout + page[page.index("</style>") : page.index("The whole config")]
    assert "stand-in" not in shown.replace('class="stand-in"', "")
    spent = AnswerStore(tmp_path / "run" / "shared" / ANSWERS).spent()
    assert 0 < spent.answers <= len(made.asked)


class Lenient(Server):
    """A judge that likes every second conversation, and one in five so much that it forgets to give a score."""

    def answer(self, asked: dict[str, Any]) -> str:
        place = zlib.crc32(asked["messages"][0]["content"].encode())
        return "lovely" if place % 5 == 0 else json.dumps({"thought": "t", "interactivity": float(place % 2)})


@pytest.mark.slow
@pytest.mark.enable_socket
def test_the_multiturn_aware_arm_and_a_judge_of_interactivity(tmp_path: Path) -> None:
    made = Lenient()
    for running in serve(made):
        base_url = f"http://127.0.0.1:{running.server_address[1]}/v1"
        command = [
            "compare", "--task", "haggle", "--seed", "0", "--out", "run", "--jobs", "1",
            *small(
                "arms=[base,multiturn-aware]", "residual.candidates=1", "rl.forward_samples=2", "rl.forward_turns=2",
                "rl.token_penalty=0.001", "interactivity.model=fake", f"interactivity.base_url={base_url}",
                "interactivity.dialogues=12", "interactivity.retries=0",
            ),
        ]  # fmt: skip
        stopped = understudy(*command, "--set", "interactivity.max_total_tokens=300", cwd=tmp_path)
        assert stopped.returncode == 2
        assert "the endpoint's budget is spent" in stopped.stderr
        asked = len(made.asked)
        done = understudy(*command, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cell = tmp_path / "run" / "stages" / "haggle" / "seed0"
    # 2 groups of 8 are trained, and what follows each message is sampled twice.
    budget = json.loads((cell / "multiturn-aware" / "budget.json").read_text())
    assert budget["dialogues"] == 16
    assert 16 < budget["messages"] <= 16 * (1 + 2 * 2)
    judged = ArmResult.from_json(json.loads((cell / "judge-multiturn-aware" / "result.json").read_text()))
    assert judged.training_user == "aligned user"
    assert judged.reward_with_training_user is not None
    assert judged.cost.real_dialogues > 100, "the logs behind the agent and behind the aligned user"
    interaction = judged.decoding["tuned"].interaction
    assert interaction is not None
    assert interaction.tokens is not None
    assert interaction.tokens.mean >= interaction.turns.mean > 0
    # Its training contexts are those of the logs.
    assert not (cell / "judge-multiturn-aware" / "training.jsonl").exists()
    shift = json.loads((cell / "shift" / "result.json").read_text())
    assert shift["curves"]["multiturn-aware"] == shift["policy"]["multiturn-aware"]
    found = InteractivityResult.from_json(json.loads((cell / "interactivity" / "result.json").read_text()))
    assert set(found.arms) == {"base", "multiturn-aware"}
    counts = {(arm.n + arm.missing, arm.n > 0) for arm in found.arms.values()}
    assert len(counts) == 1, "every arm is judged on the same tasks"
    assert 0 < next(iter(counts))[0] <= 12
    # What was paid for before the budget was spent is not asked for again; what could not be read is.
    scored = AnswerStore(tmp_path / "run" / "shared" / SCORES).spent().answers
    assert scored < len(made.asked) < asked + 24
    page = (tmp_path / "run" / "report.html").read_text()
    assert "scores of the judge of interactivity" in page
    assert "How the agents interact" in page
    assert "interactivity" in done.stdout


def random_gemma_and_qwen(folder: Path) -> None:
    """Folders `gemma` and `qwen`: small random models, each with its own chat format, of the architectures that
    `google/gemma-3-4b-it`, which reads images as well, and `Qwen/Qwen2.5-7B-Instruct` have on the hub."""
    shape = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 4096, "eos_token_id": 1,
    }  # fmt: skip
    eyes = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
        "patch_size": 14,
    }  # fmt: skip
    gemma, qwen = tokenizer("gemma"), tokenizer("qwen")
    text = {**shape, "vocab_size": len(gemma), "head_dim": 8, "sliding_window": 16}
    with_images = Gemma3Config(text_config=text, vision_config=eyes, mm_tokens_per_image=4)
    ChatModel(AutoModelForImageTextToText.from_config(with_images).float(), gemma).save(folder / "gemma")
    plain = Qwen2Config(**shape, vocab_size=len(qwen))
    ChatModel(AutoModelForCausalLM.from_config(plain).float(), qwen).save(folder / "qwen")


def compare_as_in_the_paper(folder: Path, task: str, data: Path) -> Path:
    """The folder of the one cell of a recipe that is run as it stands but for its sizes: instruct models, four arms.

    The dialogues of people that it asks for are written by the task's programme beforehand, and given as a file.
    """
    random_gemma_and_qwen(folder)
    recipe = Path(__file__).resolve().parents[1] / "examples" / "paper" / f"{task}.yaml"
    given = ["logs", "sample", task, "--data", str(data), "--dialogues", "100", "--seed", "5", "--out", "people.jsonl"]
    sampled = understudy(*given, cwd=folder)
    assert sampled.returncode == 0, sampled.stderr
    asked = [
        "compare", "--preset", "pretrained", "--config", str(recipe), "--seed", "0",
        "--data", str(data), "--out", "run", "--jobs", "1",
        *small(
            "model.base=gemma", "user_model.base=qwen", "unseen_user_model.base=qwen", "prompted.model=null",
            "prompted.base_url=null", "rl.max_groups=2", "sampling.width=32", "sampling.max_message_tokens=24", "sft.steps=1",
            "judge.dialogues=10", "judge.shift_dialogues=10",
        ),
    ]  # fmt: skip
    without = understudy(*asked, cwd=folder)
    assert without.returncode == 2
    assert f"{recipe}, line " in without.stderr
    assert "logs.path" in without.stderr
    done = understudy(*asked, "--set", "logs.path=people.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    cell = folder / "run" / "stages" / task / "seed0"
    fitted = json.loads((cell / "base" / "history.json").read_text())
    assert (fitted["epochs"], fitted["dialogues"]) == ([], 0), "the agent is taken as it is"
    assert json.loads((cell / "user-aligned" / "history.json").read_text())["epochs"]
    logs = {part: read_dialogues(cell / "logs" / f"{part}.jsonl") for part in ("align", "agent", "heldout")}
    people = {d.task.id: d for d in read_dialogues(folder / "people.jsonl")}
    assert {d.task.id: d for part in logs.values() for d in part} == people, "all logs are those that were given"
    costs = {
        arm: ArmResult.from_json(json.loads((cell / f"judge-{arm}" / "result.json").read_text())).cost.real_dialogues
        for arm in ("base", "static", "interactive", "calibrated")
    }
    aligned, contexts = len(logs["align"]), len(logs["agent"])
    assert costs == {"base": 0, "static": contexts, "interactive": 0, "calibrated": aligned}
    page = (folder / "run" / "report.html").read_text()
    assert "It is not these people" in page
    assert f"<b>{aligned}</b> dialogues of people behind the models" in page
    assert "with the task&#39;s programme" in page or "with the task's programme" in page
    return cell


@pytest.mark.slow
def test_the_papers_setting_of_maths_at_a_small_size(tmp_path: Path) -> None:
    problems = Path(__file__).resolve().parent / "fixtures" / "gsm8k"
    cell = compare_as_in_the_paper(tmp_path, "maths", problems)
    judged = {d.task.goal["answer"] for d in read_dialogues(cell / "judge-calibrated" / "real-T1.jsonl")}
    kept = (problems / "test.jsonl").read_text()
    assert judged
    assert all(f"#### {answer}" in kept for answer in judged)


@pytest.mark.slow
def test_the_papers_setting_of_documents_at_a_small_size(tmp_path: Path) -> None:
    write_articles(tmp_path / "articles", 40, 10)
    cell = compare_as_in_the_paper(tmp_path, "document", tmp_path / "articles")
    judged = {d.task.goal["text"] for d in read_dialogues(cell / "judge-calibrated" / "real-T1.jsonl")}
    kept = (tmp_path / "articles" / "test.jsonl").read_text()
    assert judged
    assert all(text in kept for text in judged)


@pytest.mark.slow
def test_pretrained_models_of_other_architectures_go_the_same_way(tmp_path: Path) -> None:
    """An adapter of a random Gemma as the agent and a random Qwen as the user, each in its own format."""
    random_gemma_and_qwen(tmp_path)
    done = understudy(
        "compare", "--task", "haggle", "--seed", "0", "--out", "run", "--jobs", "1",
        *small(
            "unseen_user_model.base=qwen", "unseen_user_model.max_length=2000",
            "model.base=gemma", "user_model.base=qwen", "model.max_length=2000", "user_model.max_length=2000",
            "sft.learning_rate=5e-4", "rl.learning_rate=1e-4", "sampling.width=32", "arms=[base,calibrated]",
            "residual.candidates=1", "model.lora_rank=4", "model.weights=bf16",
        ), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cell = tmp_path / "run" / "stages" / "haggle" / "seed0"
    assert json.loads((cell / "calibrated" / "model" / "config.json").read_text())["model_type"] == "gemma3_text"
    assert json.loads((cell / "user-aligned" / "model" / "config.json").read_text())["model_type"] == "qwen2"
    assert (cell / "calibrated" / "model" / "adapter_model.safetensors").exists(), "the agent is an adapter"
    assert not (cell / "calibrated" / "model" / "model.safetensors").exists()
    assert not (tmp_path / "run" / "stages" / "shared").exists(), "only models from scratch learn to copy first"


def sampled_logs_and_new_models(folder: Path) -> Path:
    """Logs of `haggle`, and models `agent` and `user` beside them that have learned nothing."""
    logs = folder / "logs.jsonl"
    done = understudy("logs", "sample", "haggle", "--out", str(logs), "--dialogues", "130", cwd=folder)
    assert done.returncode == 0, done.stderr
    dialogues = read_dialogues(logs)
    shape = ModelConfig(hidden=32, layers=1, heads=2, kv_heads=1, intermediate=64, vocabulary=512, max_length=640)
    for side in ROLE_NAMES:
        make_tiny(texts_of(dialogues, side), shape, 0).save(folder / side)
    return logs


@pytest.mark.slow
def test_forecast_of_an_agent_by_a_user_and_logs(tmp_path: Path) -> None:
    logs = sampled_logs_and_new_models(tmp_path)
    given = [
        "--agent",
        "agent",
        "--user",
        "user",
        "--set",
        "sampling.max_message_tokens=8",
        "--set",
        "sampling.width=64",
    ]
    done = understudy(
        "forecast",
        *given,
        "--logs",
        "logs.jsonl",
        "--out",
        "found",
        "--dialogues",
        "100",
        "--replies",
        "150",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "With real users: points / 10 " in done.stdout
    found = ForecastReport.from_json(json.loads((tmp_path / "found" / "forecast.json").read_text()))
    assert found.real is not None
    assert found.foretold.low <= found.real.mean <= found.foretold.high
    assert found.foretold.effects[0].reached == 1
    assert [e.turn for e in found.foretold.effects] == list(range(len(found.foretold.effects)))
    page = (tmp_path / "found" / "forecast.html").read_text()
    for shown in ("in simulation alone", "agent of the logs", "in truth", "By the user", found.advice.split(":")[0]):
        assert shown in page
    # A run that was stopped goes on where it was.
    shutil.rmtree(tmp_path / "found" / "stages" / "foretold")
    size = ("--dialogues", "100", "--replies", "150")
    resumed = understudy("forecast", *given, "--logs", "logs.jsonl", "--out", "found", *size, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("done before:") == 2
    again = ForecastReport.from_json(json.loads((tmp_path / "found" / "forecast.json").read_text()))
    assert again.foretold == found.foretold
    # Without tasks there is no reward.
    plain = [json.dumps({"messages": [{k: m[k] for k in ("role", "content")} for m in json.loads(line)["messages"]
             if m["content"]]}) for line in logs.read_text().splitlines()]  # fmt: skip
    (tmp_path / "plain.jsonl").write_text("\n".join(plain) + "\n")
    assert understudy("logs", "import", "plain.jsonl", "--out", "imported", cwd=tmp_path).returncode == 0
    none = understudy("forecast", *given, "--logs", "imported/dialogues.jsonl", "--out", "none", cwd=tmp_path)
    assert none.returncode == 2
    assert "no reward to foretell" in none.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_shift_measures_an_agent_and_a_user_against_logs(tmp_path: Path) -> None:
    logs = sampled_logs_and_new_models(tmp_path)
    done = understudy(
        "shift", "--agent", "agent", "--user", "user", "--logs", "logs.jsonl", "--out", "found",
        "--set", "sampling.max_message_tokens=8", "--set", "sampling.width=64", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Models that have learned nothing are told from anybody at the first turn, and so are their contexts.
    assert "Train the agent on its own contexts, align the user more" in done.stdout
    found = ShiftReport.from_json(json.loads((tmp_path / "found" / "shift.json").read_text()))
    assert [finding.advice for finding in found.verdict] == ["train", "align", "collect"]
    opening = {p.features: p for p in found.simulator.points if p.turn == 0}
    assert opening["words"].tv_low > 0.4
    assert found.known is not None
    assert all(p.tv_low == 0 for p in found.known.null), "real users are not told from themselves"
    assert found.known.delta[0].tv > 0.9
    page = (tmp_path / "found" / "shift.html").read_text()
    for shown in ("against people", "Told apart most surely", "so the truth is known", "no bound at all"):
        assert shown in page
    # What is finished is not measured again, and nothing else is asked in the same folder.
    same = (
        "--agent",
        "agent",
        "--user",
        "user",
        "--logs",
        "logs.jsonl",
        "--out",
        "found",
        "--set",
        "sampling.width=64",
    )
    shutil.rmtree(tmp_path / "found" / "stages" / "contexts")
    (tmp_path / "found" / "shift.json").unlink()
    resumed = understudy("shift", *same, "--set", "sampling.max_message_tokens=8", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("done before:") == 7
    again_found = ShiftReport.from_json(json.loads((tmp_path / "found" / "shift.json").read_text()))
    assert (again_found.contexts, again_found.known, again_found.verdict) == (
        found.contexts,
        found.known,
        found.verdict,
    )
    other = understudy("shift", *same, "--resume", cwd=tmp_path)
    assert other.returncode == 2
    assert "sampling.max_message_tokens" in other.stderr
    (tmp_path / "user" / "residual.json").write_text("{}")
    changed = understudy("shift", *same, "--set", "sampling.max_message_tokens=8", "--resume", cwd=tmp_path)
    assert changed.returncode == 2
    assert "other input files" in changed.stderr
    assert "residual.json" in changed.stderr
    (tmp_path / "user" / "residual.json").unlink()
    # A mistyped model leaves no folder behind that the right one would be refused for.
    typo = understudy("shift", *same[:1], "agnet", *same[2:-4], "--out", "typo", cwd=tmp_path)
    assert typo.returncode == 2
    assert "agnet" in typo.stderr
    assert not (tmp_path / "typo").exists()
    # Nobody gets to the end of a dialogue: that is told, not an interval of nothing.
    full = understudy("shift", *same[:-4], "--out", "full", "--set", "sampling.max_message_tokens=600", cwd=tmp_path)
    assert full.returncode == 2
    assert "dialogues of" in full.stderr
    assert "could be finished" in full.stderr
    # Logs of one's own, without tasks, have no rules and no truth.
    plain = [json.dumps({"messages": [{k: m[k] for k in ("role", "content")} for m in json.loads(line)["messages"]
             if m["content"]]}) for line in logs.read_text().splitlines()]  # fmt: skip
    (tmp_path / "plain.jsonl").write_text("\n".join(plain) + "\n")
    assert understudy("logs", "import", "plain.jsonl", "--out", "imported", cwd=tmp_path).returncode == 0
    again = understudy(
        "shift", "--agent", "agent", "--user", "user", "--logs", "imported/dialogues.jsonl", "--out", "plain",
        "--reference", "agent", "--set", "sampling.max_message_tokens=8", "--set", "sampling.width=64", cwd=tmp_path,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    plainly = ShiftReport.from_json(json.loads((tmp_path / "plain" / "shift.json").read_text()))
    assert plainly.known is None
    assert plainly.reference == "agent"
    assert [point.turn for point in plainly.excess] == list(range(len(plainly.excess)))
    assert plainly.excess[0].dialogues > 100
    page = (tmp_path / "plain" / "shift.html").read_text()
    better = any(point.nats for point in plainly.excess)
    assert ("a heuristic, no bound" in page, "no better than the user" in page) == (better, not better)
    (tmp_path / "told.jsonl").write_text(logs.read_text().replace('"counts"', '"count"'))
    wrong = understudy(
        "shift", "--agent", "agent", "--user", "user", "--logs", "told.jsonl", "--out", "w", cwd=tmp_path
    )
    assert wrong.returncode == 2
    assert "says that it is of 'haggle'" in wrong.stderr
    (tmp_path / "few.jsonl").write_text("".join(logs.read_text().splitlines(keepends=True)[:20]))
    few = understudy(
        "shift", "--agent", "agent", "--user", "user", "--logs", "few.jsonl", "--out", "few",
        cwd=tmp_path,
    )  # fmt: skip
    assert few.returncode == 2
    assert "too few to compare" in few.stderr
