"""`python -m tests.support.under_roles MODULE [ARGUMENTS]`: as `python -m MODULE`, with every call
of a function held to its role. Exits with 3 where one was refused, and tells which."""

import runpy
import sys
from pathlib import Path

REFUSED = 3
FUNCTIONS = Path(__file__).parents[2] / "functions"


def main() -> None:
    sys.path.insert(0, str(FUNCTIONS))
    from tests.support.role_guard import guard  # noqa: PLC0415  needs the path

    guard.install()
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        if refused := guard.refused():
            print(*sorted({str(call) for call in refused}), sep="\n", file=sys.stderr)
            sys.exit(REFUSED)


if __name__ == "__main__":
    main()
