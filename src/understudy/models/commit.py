"""Which state of a model on the Hugging Face hub is loaded: names and branches move, commits do not."""

from __future__ import annotations

from transformers.utils.hub import cached_file, extract_commit_hash

BASE_COMMIT = "understudy_base_commit"
"""Key of a saved model's config: the commit of the pretrained model that it comes from; absent if that was a folder."""


def commit_of(name_or_folder: str, revision: str | None) -> str | None:
    """The commit that a revision of a model stands for, by the hub, or offline by what lies in its cache.

    Args:
        revision: commit, tag or branch; None for `main`.

    Returns:
        40 hexadecimal digits; None for a folder (unless it is such a commit's in the cache), and for what cannot be reached.
    """
    try:
        found = cached_file(name_or_folder, "config.json", revision=revision or "main")
    except OSError:  # whoever loads the model tells why
        return None
    commit: str | None = extract_commit_hash(found, None)
    return commit
