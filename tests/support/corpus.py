"""The corpus of real and odd mails that lies beside the project, where it does; never copied in."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
CORPUS = (_ROOT / os.environ.get("MAIL_CORPUS", "../shared/corpus/mail")).resolve()

needs_corpus = pytest.mark.skipif(
    not (CORPUS / "expected.json").is_file(),
    reason="no mail corpus: set MAIL_CORPUS to its folder to run this",
)


def corpus_files() -> list[str]:
    """Every mail of the corpus, by its path inside it; empty where there is no corpus."""
    return sorted(str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*.eml"))


def read_corpus(name: str) -> bytes:
    return (CORPUS / name).read_bytes()


def expected_values() -> dict[str, dict[str, Any]]:
    """What three parsers agree on: file -> field -> value; a missing field is disputed."""
    found: dict[str, dict[str, Any]] = json.loads((CORPUS / "expected.json").read_text())
    return found


def majority_values() -> dict[str, dict[str, Any]]:
    """Of the disputed fields those two of the three agree on: file -> field -> value."""
    disputed = json.loads((CORPUS / "disagreements.json").read_text())
    return {
        name: {key: v["majority"]["value"] for key, v in fields.items() if v.get("majority")}
        for name, fields in disputed.items()
    }
