"""From presets, YAML files and overrides to one checked config, with errors that name key, value, rule and fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from understudy.config.base import on_hub
from understudy.config.stages import CompareConfig
from understudy.errors import ConfigError

Preset = Literal["demo", "small", "full", "align", "pretrained"]
PRESETS: tuple[Preset, ...] = get_args(Preset)

Key = tuple[str, ...]
SECTIONS = frozenset(
    name
    for name, field in CompareConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
)


def load_config(path: Path | str | None = None, overrides: Sequence[str] = (), preset: str = "full") -> CompareConfig:
    """Read a config: the defaults, then the preset, then the file, then the overrides; the last one wins.

    Args:
        path: a YAML file with some or all keys, or None.
        overrides: `key=value` with a dotted key and a YAML value: `rl.steps=20`, `seeds=0,1`, `data=null`.
        preset: `full`, `small`, `demo`, `align` or `pretrained`.

    Raises:
        ConfigError: naming every unknown key, wrong type and value out of range at once; or the line and column of a
            YAML mistake; or a file that cannot be read.
    """
    values, origins = _preset(preset)
    if path is not None:
        _merge(values, _read_yaml(_read_text(Path(path)), str(path), origins))
    for override in overrides:
        key, value = _parse_override(override)
        _set(values, key, value)
        origins[key] = f"override {override}"
    config = _check(values, origins, "config")
    if config.data is not None and not on_hub(config.data):
        _refuse_absent(config.data, ("data",), origins, "give an existing folder, or hub:owner/name")
    if config.logs.path is not None:
        fix = "give your dialogues of people (docs/tasks.md), or null to have them written by the task's programme"
        _refuse_absent(config.logs.path, ("logs", "path"), origins, fix)
    return config


def _refuse_absent(path: Path, key: Key, origins: Mapping[Key, str], fix: str) -> None:
    if not path.exists():
        raise ConfigError(
            f"{'.'.join(key)} is {str(path)!r}, which does not exist",
            where=_origin(key, origins, "config"),
            fix=f"{fix}; relative paths start from {Path.cwd()}",
        )


def config_from(values: Mapping[str, Any], where: str = "config") -> CompareConfig:
    """Check a mapping, for example the `config` of a manifest. Missing keys take the defaults.

    Raises:
        ConfigError: as `load_config`, with `where` as the place.
    """
    return _check(values, {}, where)


def dump_config(config: CompareConfig) -> str:
    """The whole config as YAML, every default included; `load_config` reads it back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=120)


def check_names(key: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names that nobody knows, for keys whose names are registered elsewhere (task families).

    Raises:
        ConfigError: naming every unknown one, the nearest known one, and all that are known.
    """
    unknown = [value for value in values if value not in known]
    if unknown:
        hints = [hint for value in unknown if (hint := _nearest(value, known))]
        raise ConfigError(
            f"{key} has {', '.join(map(repr, unknown))}, but must be among {', '.join(known)}",
            where="config",
            fix=f"did you mean {', '.join(map(repr, hints))}?" if hints else f"use one of {', '.join(known)}",
        )


def _preset(name: str) -> tuple[dict[str, Any], dict[Key, str]]:
    if name not in PRESETS:
        hint = _nearest(name, PRESETS)
        raise ConfigError(
            f"there is no preset {name!r}",
            where="preset",
            fix=f"did you mean {hint!r}?" if hint else f"use one of {', '.join(PRESETS)}",
        )
    text = (resources.files("understudy") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    origins: dict[Key, str] = {}
    return _read_yaml(text, f"preset {name}", origins), origins


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 text (byte {error.start})", where=str(path), fix="save the config as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), fix="check the path of the config file"
        ) from error


def _read_yaml(text: str, source: str, origins: dict[Key, str]) -> dict[str, Any]:
    """Parse YAML, and note in `origins` the line of each key."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
        raise ConfigError(
            f"is not YAML: {error.problem or error.context}", where=place, fix="correct this line (`key: value`)"
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # a forbidden character; a date that does not exist
        raise ConfigError(
            f"is not YAML: {' '.join(str(error).split())}", where=source, fix="remove the offending characters"
        ) from error
    if node is None or values is None:
        return {}
    if not isinstance(node, yaml.MappingNode) or not isinstance(values, dict):
        raise ConfigError(
            f"must hold `key: value` lines, but holds {_show(values)}",
            where=source,
            fix="write for example `rl:` and below it `  steps: 60`",
        )
    for key, line in _keys(node, (), source):
        origins[key] = f"{source}, line {line}"
    return {str(key): value for key, value in values.items()}


def _keys(node: yaml.MappingNode, above: Key, source: str) -> Iterator[tuple[Key, int]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        name, line = str(key_node.value), key_node.start_mark.line + 1
        if name in seen:
            raise ConfigError(
                f"{'.'.join((*above, name))} is given twice, also in line {seen[name]}",
                where=f"{source}, line {line}",
                fix="keep one of the two",
            )
        seen[name] = line
        yield (*above, name), line
        if isinstance(value_node, yaml.MappingNode) and not above:  # sections lie one level deep
            yield from _keys(value_node, (name,), source)


def _parse_override(override: str) -> tuple[Key, Any]:
    name, equals, text = override.partition("=")
    key = tuple(part.strip() for part in name.split("."))
    where = f"override {override}"
    if not equals or not all(key):
        raise ConfigError("is not of the form key=value", where=where, fix="write for example rl.steps=20")
    try:
        return key, yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(
            f"the value {text!r} is not YAML", where=where, fix="quote it, or write a list as [a, b]"
        ) from error


def _merge(values: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        if name in SECTIONS and value is None:
            continue  # `rl:` with nothing below it
        if isinstance(value, Mapping) and isinstance(values.get(name), dict):
            values[name] = {**values[name], **value}
        else:
            values[name] = value


def _set(values: dict[str, Any], key: Key, value: Any) -> None:
    for name in key[:-1]:
        below = values.get(name)
        values[name] = dict(below) if isinstance(below, Mapping) else {}
        values = values[name]
    values[key[-1]] = value


def _check(values: Mapping[str, Any], origins: Mapping[Key, str], source: str) -> CompareConfig:
    try:
        return CompareConfig.model_validate(dict(values))
    except ValidationError as error:
        # A list with values that are wrong counts as too short without them; what is wrong is told of each.
        found = [e for e in error.errors(include_url=False) if e["type"] != "too_short" or not e["input"]]
        problems = list(dict.fromkeys(_explain(e, origins, source) for e in found))
    if len(problems) == 1:
        what, where, fix = problems[0]
        raise ConfigError(what, where=where, fix=fix)
    lines = [str(ConfigError(what, where=where, fix=fix)) for what, where, fix in problems]
    raise ConfigError("\n".join([f"{len(problems)} problems", *lines]), where=source)


def _explain(error: ErrorDetails, origins: Mapping[Key, str], source: str) -> tuple[str, str, str]:
    """What, where and fix of one of pydantic's errors."""
    key = tuple(str(part) for part in error["loc"] if isinstance(part, str))
    # A position in a list; pydantic adds its own words behind a union's key, which has none of ours below it.
    index = next((f"[{part}]" for part in error["loc"] if isinstance(part, int)), "")
    context = error.get("ctx", {})
    if error["type"] == "rule":
        pointed = (*key, *str(context["key"]).split("."))
        what = str(context["what"]) if not key else f"{'.'.join(key)}: {context['what']}"
        return what, _origin(pointed, origins, source), str(context["fix"])
    field, siblings = _field(key)
    name, where, given = ".".join(key) + index, _origin(key, origins, source), _show(error["input"])
    if error["type"] == "extra_forbidden":
        hint = _elsewhere(key[-1]) or _nearest(key[-1], siblings)
        near = ".".join((*key[:-1], hint)) if hint in siblings else hint
        return (
            f"there is no key {name} (given as {given})",
            where,
            f"did you mean {near}?" if near else f"use one of {', '.join(siblings)}",
        )
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"{name} is {given}, but is a section", where, f"set keys below it, such as {name}.{siblings[0]}"
    if error["type"] == "too_short":
        return f"{name} is {given}, but must hold at least one value", where, "name at least one, or leave the key out"
    if error["type"] == "repeated":
        return (
            f"{name} is {given}, but must hold each value once",
            where,
            f"give {', '.join(map(_show, context['repeated']))} only once",
        )
    rule = error["msg"].replace("Input should", "must", 1)
    rule = rule if rule.startswith("must") else f"must be otherwise: {rule}"
    fix = f"leave {'.'.join(key)} out for the default"
    if field is not None:
        default = field.get_default(call_default_factory=True)
        fix = f"{'.'.join(key)}: {field.description} Default: {_show(default)}."
    return f"{name} is {given}, but {rule}", where, fix


def _field(key: Key) -> tuple[FieldInfo | None, list[str]]:
    """The field that a key names (None if there is none) and the names that are known in its section."""
    model: type[BaseModel] = CompareConfig
    field: FieldInfo | None = None
    for name in key:
        field = model.model_fields.get(name)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        model = field.annotation
    return field, list(model.model_fields)


def _elsewhere(name: str) -> str:
    """The dotted key of another section that holds this very name."""
    if name in CompareConfig.model_fields:
        return name
    found = [section for section in sorted(SECTIONS) if name in _field((section,))[1]]
    return f"{found[0]}.{name}" if len(found) == 1 else ""


def _origin(key: Key, origins: Mapping[Key, str], source: str) -> str:
    """Where a key was given; if it was not, where the last key of its section was: a rule may be broken by either."""
    for length in range(len(key), 0, -1):
        if key[:length] in origins:
            return origins[key[:length]]
        below = [place for given, place in origins.items() if given[:length] == key[:length]]
        if below:
            return below[-1]
    return source


def _nearest(name: str, known: Sequence[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.6)), "")


def _show(value: Any) -> str:
    if isinstance(value, tuple | list):
        text = "[" + ", ".join(_show(v) for v in value) + "]"
    elif isinstance(value, bool) or value is None:
        text = yaml.safe_dump(value).split("\n")[0]
    else:
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
