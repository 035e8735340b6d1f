"""What a run needs to be made again: versions, git revision, platform, hashes of its input files."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import understudy
from understudy.errors import RunError

_PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy", "scikit-learn", "sacrebleu")


def versions() -> dict[str, str | None]:
    """Versions of this package, Python and what figures depend on; None where not installed."""
    found: dict[str, str | None] = {"understudy": understudy.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def git_revision() -> str | None:
    """The commit of the package's own source, with `+changes` where files differ from it; None outside a checkout."""
    folder = Path(understudy.__file__).parent
    # A package installed into an environment inside somebody else's repository must not take that one's revision.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None
    return f"{revision}+changes" if _git(folder, "status", "--porcelain", "--", ".") else revision


def platform_name() -> str:
    """System, kind of processor and C library; nothing that names the host."""
    return " ".join(part for part in (platform.system(), platform.machine(), *platform.libc_ver()) if part)


def input_hashes(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file, and of each file below a folder, by path.

    Raises:
        RunError: if a file cannot be read.
    """
    hashes = {}
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            try:
                with open(file, "rb") as opened:
                    hashes[str(file)] = hashlib.file_digest(opened, "sha256").hexdigest()
            except OSError as error:
                raise RunError(
                    f"input cannot be read: {error.strerror}", where=str(file), fix="check the path and its permissions"
                ) from error
    return hashes


def differences(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    free: Collection[str] = (),
    later: Mapping[str, Any] | None = None,
) -> list[str]:
    """One line `key: old, now new` for each dotted key whose values differ, those that are `free` to do so left out.

    Args:
        later: what the dotted keys of `new` stand for that `old` may lack.
    """
    after = dict(dotted(new))
    before = {**{key: value for key, value in (later or {}).items() if key in after}, **dict(dotted(old))}
    absent = "absent"
    return [
        f"{key}: {before.get(key, absent)}, now {after.get(key, absent)}"
        for key in dict.fromkeys([*before, *after])
        if key not in free and before.get(key, absent) != after.get(key, absent)
    ]


def dotted(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested mappings with its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
