from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from understudy.config import (
    DEFAULT_ARMS,
    PRESETS,
    CompareConfig,
    ModelConfig,
    check_names,
    config_from,
    dump_config,
    load_config,
)
from understudy.errors import ConfigError


def error_of(path: Path | None = None, *overrides: str, preset: str = "full") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides, preset=preset)
    return caught.value


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "my.yaml"
        path.write_text(text)
        return path

    return write


def test_later_sources_win_and_the_rest_keeps_its_default(written) -> None:
    path = written("rl:\n  steps: 33\n  learning_rate: 3e-4\nseeds: [7]\nsft:\n")
    config = load_config(path, ["rl.steps=44", "sft.epochs=2"], preset="demo")
    assert config.rl.steps == 44
    assert config.rl.learning_rate == 3e-4  # YAML 1.1 reads 3e-4 as text
    assert config.seeds == (7,)
    assert config.sft.epochs == 2
    assert config.logs == load_config(preset="demo").logs != CompareConfig().logs
    assert config.sft.patience == CompareConfig().sft.patience


def test_lists_may_be_typed_as_on_a_command_line() -> None:
    config = load_config(None, ["families=edit", "seeds=0,2", "arms=base, oracle", "severities=0.5", "log_sizes=[100]"])
    assert (config.families, config.seeds, config.arms) == (("edit",), (0, 2), ("base", "oracle"))
    assert (config.severities, config.log_sizes) == ((0.5,), (100,))


def test_a_partly_given_section_keeps_its_own_defaults() -> None:
    config = load_config(None, ["unseen_user_model.heads=2"])
    default = CompareConfig().unseen_user_model
    assert config.unseen_user_model == default.model_copy(update={"heads": 2})
    assert (default.hidden, default.layers) != (ModelConfig().hidden, ModelConfig().layers)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load_and_survive_yaml_and_manifest(preset: str, written) -> None:
    config = load_config(preset=preset)
    assert load_config(written(dump_config(config))) == config
    assert config_from(config.model_dump(mode="json")) == config
    assert config.arms == DEFAULT_ARMS


def test_full_preset_is_the_defaults() -> None:
    assert load_config() == CompareConfig()


def test_every_default_keeps_its_own_rules_and_every_field_has_a_docstring() -> None:
    config = CompareConfig()
    assert CompareConfig.model_validate(config.model_dump()) == config
    for model in [CompareConfig, *(type(getattr(config, name)) for name in CompareConfig.model_fields)]:
        for name, field in getattr(model, "model_fields", {}).items():
            assert field.description, f"{model.__name__}.{name}"


def test_all_problems_at_once_each_with_line_key_value_rule_and_fix(written) -> None:
    path = written("rl:\n  stepz: 3\n  clip: 2\nseeds: [0, x]\nsft:\n  epochs: yes\nlearning_rat: 2\njudge: 5\n")
    error = error_of(path)
    assert error.what.splitlines()[0] == "6 problems"
    text = str(error)
    for place, what, fix in (
        ("line 2", "there is no key rl.stepz (given as 3)", "did you mean rl.steps?"),
        ("line 3", "rl.clip is 2, but must be less than 1", f"Default: {CompareConfig().rl.clip}."),
        ("line 4", "seeds[1] is 'x', but must be a valid integer", "seeds: Seeds of the repetitions"),
        ("line 6", "sft.epochs is true, but must be a number", f"Default: {CompareConfig().sft.epochs}."),
        ("line 7", "there is no key learning_rat (given as 2)", "use one of families, "),
        ("line 8", "judge is 5, but is a section", "set keys below it, such as judge.dialogues"),
    ):
        tail = text.partition(f"{path}, {place}: {what}")[2]
        assert tail, f"{what!r} is not in\n{text}"
        assert fix in tail.splitlines()[1]


@pytest.mark.parametrize(
    ("override", "what", "fix"),
    [
        ("rl.steps=0", "rl.steps is 0, but must be greater than or equal to 1", "Default: "),
        ("rl.steps=2.5", "rl.steps is 2.5, but must be a valid integer", "Default: "),
        ("rl.clip=.nan", "rl.clip is nan, but must be a finite number", "Default: "),
        ("severities=0,2", "severities[1] is '2', but must be less than or equal to 1", "Default: []."),
        ("families=[]", "families is [], but must hold at least one value", "name at least one"),
        ("seeds=[-1]", "seeds[0] is -1, but must be greater than or equal to 0", "Seeds of the repetitions"),
        ("arms=best", "arms[0] is 'best', but must be 'base', 'control'", "Arms to train and judge"),
        ("seeds=1,2,1", "seeds is '1,2,1', but must hold each value once", "give 1 only once"),
        ("arms=base,best", "arms[1] is 'best', but must be 'base', 'control'", "Arms to train and judge"),
        ("patience=3", "there is no key patience (given as 3)", "did you mean sft.patience?"),
        ("rl.familes=3", "there is no key rl.familes (given as 3)", "use one of steps, "),
        ("rl.a.b=3", "there is no key rl.a (given as {'b': 3})", "use one of steps, "),
        ("rl=3", "rl is 3, but is a section", "such as rl.steps"),
        ("rl.steps", "is not of the form key=value", "rl.steps=20"),
        ("rl..steps=3", "is not of the form key=value", "rl.steps=20"),
        ("seeds=[1", "the value '[1' is not YAML", "write a list as [a, b]"),
        ("logs.align_share=.999", "align_share + agent_share + heldout_share = 1.", "change one"),
        ("logs.align_share=.001", "but must be 1", "change one"),
        ("logs.people=99999", "logs: people is 99999, more than dialogues (", "lower people or raise dialogues"),
        ("model.heads=3", "model: hidden is 128, not a multiple of heads (3)", "for example 126"),
        ("user_model.kv_heads=3", "user_model: kv_heads is 3, which does not divide heads (4)", "use one of 1, 2, 4"),
        ("model.hidden=100", "model: hidden / heads is 25, an odd number", "make hidden / heads even"),
        ("sft.batch_tokens=100", "sft.batch_tokens is 100, less than the longest dialogue (", "raise sft.batch_tok"),
        ("rl.micro_batch_tokens=100", "rl.micro_batch_tokens is 100, less than the longest", "lower max_length"),
        ("sampling.max_message_tokens=8000", "is 8000, which leaves no room in a dialogue of ", "lower it"),
        ("data=no/such/folder", "data is 'no/such/folder', which does not exist", "give an existing folder"),
    ],
)
def test_one_problem_is_told_with_its_place(override: str, what: str, fix: str) -> None:
    error = error_of(None, override)
    assert what in error.what
    assert "problems" not in error.what
    assert error.where == f"override {override}"
    assert fix in error.fix


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("rl:\n  steps: 3\n rl: [\n", ", line 3, column 2", "is not YAML: "),
        ("rl: {steps: 3\n", ", line 2, column 1", "is not YAML: "),
        ("seed: \0", "", "is not YAML: "),
        ("rl:\n  steps: 3\n  steps: 4\n", ", line 3", "rl.steps is given twice, also in line 2"),
        ("- a\n", "", "must hold `key: value` lines, but holds ['a']"),
        ("3\n", "", "must hold `key: value` lines, but holds 3"),
    ],
)
def test_mistakes_of_yaml(written, text: str, place: str, what: str) -> None:
    path = written(text)
    error = error_of(path)
    assert error.where == f"{path}{place}"
    assert what in error.what


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = error_of(tmp_path / "none.yaml")
    assert missing.where == str(tmp_path / "none.yaml")
    assert "cannot be read: No such file" in missing.what
    assert "cannot be read: Is a directory" in error_of(tmp_path).what
    (tmp_path / "latin.yaml").write_bytes(b"seeds: [0] # \xe9\n")
    assert error_of(tmp_path / "latin.yaml").what == "is not UTF-8 text (byte 13)"


def test_empty_file_is_no_change(written) -> None:
    assert load_config(written("# nothing\n")) == CompareConfig()


def test_unknown_preset_and_unknown_names() -> None:
    assert error_of(preset="dmo").fix == "did you mean 'demo'?"
    assert error_of(preset="xyzzy").fix == "use one of demo, small, full, align, pretrained"
    known = ("elicit", "edit", "haggle")
    check_names("families", ("edit",), known)
    with pytest.raises(ConfigError, match=r"families has 'elicitt', but must be among elicit, edit, haggle") as caught:
        check_names("families", ("elicitt", "edit"), known)
    assert caught.value.fix == "did you mean 'elicit'?"


def test_configs_are_frozen_and_hashable() -> None:
    config = CompareConfig()
    with pytest.raises(Exception, match="frozen"):
        config.rl.steps = 3  # type: ignore[misc]
    assert hash(config) == hash(CompareConfig())


def test_dump_is_yaml_with_every_key() -> None:
    values = yaml.safe_load(dump_config(CompareConfig()))
    assert list(values) == list(CompareConfig.model_fields)
    assert list(values["rl"]) == list(CompareConfig().rl.__class__.model_fields)


@pytest.mark.parametrize(("given", "read"), [("true", True), ("false", False), ("True", True)])
def test_a_switch_is_on_or_off(given: str, read: bool) -> None:
    assert load_config(overrides=[f"rl.gradient_checkpointing={given}"]).rl.gradient_checkpointing is read
    with pytest.raises(ConfigError, match=r"rl\.gradient_checkpointing is 'perhaps'"):
        load_config(overrides=["rl.gradient_checkpointing=perhaps"])
    with pytest.raises(ConfigError, match=r"rl\.steps .* not true or false"):
        load_config(overrides=["rl.steps=true"])


def test_who_is_not_fitted_on_what_agents_say_cannot_tell_what_is_unlike_it() -> None:
    assert load_config(preset="pretrained").support.quantile is None
    with pytest.raises(ConfigError, match=r"support.quantile is 0.9, but sft.other_side_weight is 0") as caught:
        load_config(preset="pretrained", overrides=["support.quantile=.9"])
    assert caught.value.where == "override support.quantile=.9"
    with pytest.raises(ConfigError, match=r"support.quantile is 0.99, but sft.other_side_weight is 0"):
        load_config(overrides=["sft.other_side_weight=0"])
    load_config(overrides=["sft.other_side_weight=0", "support.quantile=null"])


def test_align_takes_a_pretrained_user_alone() -> None:
    """Of all models it fits the user alone; a comparison needs the others too (test_cli)."""
    given = ["user_model.base=x", "user_model.prompt=once", "sft.learning_rate=2e-5", "user_model.max_length=4096",
             "sft.batch_tokens=8192"]  # fmt: skip
    assert load_config(overrides=given, preset="align").user_model.base == "x"


def test_further_parameters_of_a_request_are_given_as_a_mapping_or_one_by_one(written) -> None:
    reasoning = {"max_tokens": None, "max_completion_tokens": 900, "extra": {"a": [1, True]}}
    path = written("prompted:\n  parameters: {max_tokens: null, max_completion_tokens: 900, extra: {a: [1, true]}}\n")
    config = load_config(path, ["interactivity.parameters.reasoning_effort=low", "interactivity.parameters.seed=1"])
    assert config.prompted.parameters == reasoning
    assert config.interactivity.parameters == {"reasoning_effort": "low", "seed": 1}
    assert config_from(yaml.safe_load(dump_config(config))) == config
    assert load_config().prompted.parameters == {}
    # As fixed as the rest.
    config.prompted.parameters["extra"]["a"].append(2)
    assert config.prompted.parameters == reasoning
    assert hash(config) == hash(config_from(yaml.safe_load(dump_config(config))))


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n"])
def test_a_parameter_that_is_not_theirs_to_set_is_refused(name: str) -> None:
    error = error_of(None, f"prompted.parameters.{name}=2")
    assert f"prompted: parameters holds {name}" in str(error)
    assert error.where == f"override prompted.parameters.{name}=2"


@pytest.mark.parametrize("value", ["low", "[1]", "null", "true"])
def test_parameters_that_are_no_mapping_are_refused(value: str) -> None:
    error = error_of(None, f"prompted.parameters={value}")
    assert "prompted.parameters is" in str(error)
    assert "null leaves one out" in error.fix


@pytest.mark.parametrize("value", ["2026-01-01", ".nan", "[.inf]"])
def test_a_parameter_that_is_no_json_is_refused(value: str) -> None:
    assert "prompted.parameters.x" in str(error_of(None, f"prompted.parameters.x={value}"))
