"""`make demo` as a newcomer runs it: a process of its own, its last line, its exit code."""

import io
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from infra.local import samples
from infra.local.demo_client import Client
from infra.local.demo_company import Company
from infra.local.demo_console import Console, printable
from infra.local.demo_folder import Sums
from infra.local.demo_report import Report
from tests.support.corpus import CORPUS, corpus_files, needs_corpus

ROOT = Path(__file__).parents[2]
LIMIT = 60  # seconds of CPU, once the packages are there: other processes do not count
LAST_LINE = re.compile(
    r"appended=(\d+) stored=(\d+) messages=(\d+) copies=(\d+) filed=(\d+) unmatched=(\d+) "
    r"failed=(\d+)"
)
SENDERS = ("ada@one.example", "bo@two.example", "cy@three.example", "di@four.example")


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.support.under_roles", "infra.local.demo", *arguments],
        check=False,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=240,
    )


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def last_line(ran: subprocess.CompletedProcess[str]) -> list[int]:
    """Its numbers, in its order."""
    found = LAST_LINE.fullmatch(ran.stdout.splitlines()[-1])
    assert found, ran.stdout[-2000:] + ran.stderr
    return [int(number) for number in found.groups()]


def mail(number: int, sender: str) -> bytes:
    return (
        f"From: {sender}\r\nTo: us@here.example\r\nSubject: mail {number}\r\n"
        f"Date: Mon, 02 Nov 2026 08:{number:02}:00 +0000\r\nMessage-ID: <{number}@one.example>\r\n"
        f"\r\nText {number}\r\n"
    ).encode()


def test_demo_files_every_sample_mail_where_it_belongs() -> None:
    before = seconds_of_children()

    ran = demo()

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith(
        "60 mails of 2 tenants: every mail is where it belongs"
    )
    assert "WRONG" not in ran.stdout
    assert "warning own_address on writing it: contact/c-7" in ran.stdout
    assert "Zu Ihrem Angebot Q-2026-17  (by hand)" in ran.stdout
    assert seconds_of_children() - before < LIMIT


def test_samples_are_sixty_mails_of_two_tenants_and_four_mailboxes() -> None:
    scenarios = [samples.load(tenant) for tenant in samples.TENANTS]

    assert sum(len(scenario.mails) for scenario in scenarios) == 60
    assert sum(len(scenario.accounts) for scenario in scenarios) == 4
    first, second = scenarios
    assert first.contacts.keys() >= second.contacts.keys()
    assert first.accounts.keys() == second.accounts.keys()


def test_samples_show_every_reason_that_can_be_shown_at_once() -> None:
    mails = [mail for tenant in samples.TENANTS for mail in samples.load(tenant).mails]

    assert {mail.reason for mail in mails} == {
        "ambiguous_sender",
        "before_since",
        "blocklist",
        "claimed_own",
        "kind",
        "manual",
        "matched",
        "no_match",
        "own_address",
        "private",
    }


def test_folder_demo_counts_messages_copies_filed_and_unmatched(tmp_path: Path) -> None:
    for number, sender in enumerate(SENDERS):
        (tmp_path / f"{number}.eml").write_bytes(mail(number, sender))
    deeper = tmp_path / "a folder" / "deeper"
    deeper.mkdir(parents=True)
    (deeper / "copy of the first.eml").write_bytes(mail(0, SENDERS[0]))
    (deeper / "another copy.EML").write_bytes(mail(0, SENDERS[0]))
    (tmp_path / "no mail.txt").write_bytes(mail(9, SENDERS[0]))

    ran = demo("--mail", str(tmp_path))

    # contacts of ada and di: the first and the fourth sender
    assert last_line(ran) == [6, 6, 4, 2, 2, 2, 0]
    assert ran.returncode == 0


def test_folder_demo_takes_odd_mails_as_they_are(tmp_path: Path) -> None:
    odd = {
        "bare line feeds": b"From: a@b.example\nSubject: x\n\nline\nline\n",
        "no header": b"just text, no header at all",
        "only a header": b"From: a@b.example\r\n",
        "8 bit header": b"From: a@b.example\r\nSubject: \xff\xfe \x1b[31m\r\n\r\n\r\n",
        "nul": b"From: \x00@b.example\r\n\r\n\x00\x01",
        "no final line end": b"From: a@b.example\r\nSubject: y\r\n\r\nend",
        "open multipart": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    }
    for name, raw in odd.items():
        (tmp_path / f"{name}.eml").write_bytes(raw)
    (tmp_path / "empty.eml").write_bytes(b"")

    ran = demo("--mail", str(tmp_path))

    appended, stored, messages, copies, filed, unmatched, failed = last_line(ran)
    assert "refused by the IMAP server: 1 empty.eml" in ran.stdout
    assert (appended, stored, failed) == (len(odd), len(odd), 0)
    assert appended == messages + copies
    assert messages == filed + unmatched
    assert "\x1b" not in ran.stdout
    assert ran.returncode == 0


def test_folder_demo_over_nothing_ends_well(tmp_path: Path) -> None:
    ran = demo("--mail", str(tmp_path))

    assert last_line(ran) == [0] * 7
    assert ran.returncode == 0


def test_demo_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    ran = demo("--mail", str(tmp_path / "missing"))

    assert ran.returncode == 2
    assert "is no folder" in ran.stderr


@needs_corpus
def test_folder_demo_over_real_mails(tmp_path: Path) -> None:
    for number, name in enumerate(corpus_files()[:40]):
        (tmp_path / f"{number}.eml").symlink_to(CORPUS / name)

    ran = demo("--mail", str(tmp_path))

    appended, stored, messages, copies, filed, unmatched, failed = last_line(ran)
    assert (appended, stored, failed) == (40, 40, 0)
    assert appended == messages + copies
    assert messages == filed + unmatched
    assert filed > 0
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"stored": 3},
        {"dead": 1},
        {"differing": 1},
        {"copies": 0},
        {"filed": 3},
        {"appended": 5, "stored": 5},
    ],
)
def test_sums_that_do_not_hold_are_seen(wrong: dict[str, int]) -> None:
    right = {"appended": 4, "stored": 4, "messages": 3, "copies": 1, "filed": 2, "unmatched": 1}

    assert Sums(**right, dead=0, differing=0).hold
    assert not Sums(**({"dead": 0, "differing": 0} | right | wrong)).hold


def test_a_subject_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202ed\x9b") == "a·[2Jb··c·d·"


class Told:
    """An API that knows one message, filed at `contact`."""

    def __init__(self, contact: str) -> None:
        self.filing = {"entity_type": "contact", "entity_id": contact}

    def get(self, path: str) -> dict[str, Any]:
        return {"address": "", "status": "ok", "status_code": None, "warnings": []}

    def items(self, path: str) -> list[dict[str, Any]]:
        filed = path.endswith(f"/contact/{self.filing['entity_id']}")
        row = {"message": "m", "sort_time": "2026-11-02T08:00:00Z", "subject": "", "origins": []}
        return [row | {"direction": "inbound"}] if filed else []

    def company(self) -> Company:
        mail = samples.Sample("a", 1, "ada@one.example", "", ("contact/c-1",), "matched")
        known: dict[str, dict[str, Any]] = {"c-1": {}, "c-2": {}}
        scenario = samples.Scenario("t", {"sales": "us@here.example"}, {}, known, (), (mail,))
        decision: dict[str, Any] = {"addresses": []}
        message = {"id": "m", "subject": "", "reason": "matched", "copies": [{}]}
        message |= {"decision": decision}
        found = {"a.1@one.example": message | {"filings": [self.filing]}}
        return Company(scenario, cast("Client", self), found)


def test_report_names_a_mail_that_is_filed_elsewhere() -> None:
    right, wrong = Told("c-1").company(), Told("c-2").company()
    console = Console(io.StringIO())

    assert Report(console, right).run() == []
    assert Report(console, wrong).run() == [
        "t/a: filed at ['contact/c-2'], expected ['contact/c-1']",
        "t contact/c-1: 0 rows, expected 1",
        "t contact/c-2: 1 rows, expected 0",
    ]
