"""The whole system over mails, on this machine: `make demo`, or `make demo MAIL=DIR`."""

import argparse
import sys
from pathlib import Path

from infra.local.demo_company import leaks
from infra.local.demo_console import Console
from infra.local.demo_folder import FolderDemo
from infra.local.demo_report import Report
from infra.local.demo_samples import SampleDemo
from infra.local.demo_stack import quiet_stack


def main(arguments: list[str] | None = None) -> int:
    """0 when everything came out as it should."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--mail", type=Path, help="run over every .eml below this folder")
    given = parser.parse_args(arguments)
    if given.mail is not None and not given.mail.is_dir():
        parser.error(f"{given.mail} is no folder")
    console = Console()
    return over_samples(console) if given.mail is None else over_folder(console, given.mail)


def over_samples(console: Console) -> int:
    with quiet_stack(console) as stack:
        demo = SampleDemo(stack, console)
        wrong = demo.run()
        for company in demo.companies:
            wrong += Report(console, company).run()
        wrong += leaks(demo.companies)
    console.line()
    for difference in wrong:
        console.line(f"WRONG {difference}")
    mails = sum(len(company.scenario.mails) for company in demo.companies)
    verdict = f"{len(wrong)} things are wrong" if wrong else "every mail is where it belongs"
    console.line(
        f"{mails} mails of {len(demo.companies)} tenants: {verdict}; {console.seconds:.0f} s"
    )
    return 1 if wrong else 0


def over_folder(console: Console, folder: Path) -> int:
    with quiet_stack(console) as stack:
        demo = FolderDemo(stack, console, folder)
        sums = demo.run()
    console.line(str(sums))
    return 0 if sums.hold else 1


if __name__ == "__main__":
    sys.exit(main())
