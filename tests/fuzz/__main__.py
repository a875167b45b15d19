"""`make fuzz`: Atheris (libFuzzer) on read_headers and read_mail. FUZZ_SECONDS, ten minutes if not
set. A failing input lies in build/fuzz and stops the run; so does one that takes over 20 s or
makes the process larger than 1 GiB (its instrumentation included)."""

import os
import sys
from pathlib import Path

import atheris
from tests.fuzz.seeds import MAILS, PIECES
from tests.support.corpus import corpus_files, read_corpus

with atheris.instrument_imports(include=["ablage"]):
    from tests.fuzz.checks import check_mail

FOLDER = Path("build/fuzz")
LONGEST = 16 * 1024
ESCAPED = '"\\'


def lay_out() -> None:
    """Seeds, the corpus' smaller mails among them where it is there, and libFuzzer's dictionary."""
    inputs = FOLDER / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    found = (read_corpus(name) for name in corpus_files())
    for number, raw in enumerate([*MAILS, *(raw for raw in found if len(raw) <= LONGEST)]):
        (inputs / f"seed-{number}").write_bytes(raw)
    (FOLDER / "words").write_text("".join(f'"{_written(piece)}"\n' for piece in PIECES))


def _written(piece: bytes) -> str:
    return "".join(
        chr(c) if 32 <= c < 127 and chr(c) not in ESCAPED else f"\\x{c:02x}" for c in piece
    )


def main() -> None:
    lay_out()
    options = {
        "max_total_time": os.environ.get("FUZZ_SECONDS") or "600",
        "max_len": LONGEST,
        "timeout": 20,
        "rss_limit_mb": 1024,
        "dict": FOLDER / "words",
        "artifact_prefix": f"{FOLDER}/",
        "print_final_stats": 1,
    }
    words = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(FOLDER / "inputs")], check_mail)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
