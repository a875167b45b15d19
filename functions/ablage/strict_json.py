"""JSON from outside, with distrust."""

import json
from typing import Any, NoReturn


def read_json(text: str) -> Any:
    """Raises ValueError, also for what Python reads and JSON does not have, nesting without end,
    and lone surrogates, which no store takes."""
    try:
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("too deep") from error
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
