"""Which folders are read: by what the account asks for, and by the person's word above all."""

from typing import Any

import pytest

from ablage.accounts import ALL_MAIL, Account, AccountState, Folder
from ablage.errors import InvalidInput
from ablage.folder_modes import (
    check_mode,
    followed,
    hides_all_mail,
    is_private,
    mode_of,
    polled,
)
from ablage.tenancy import TenantId

ROLES = ("inbox", "sent", "drafts", "trash", "junk", "archive", "all", "flagged", "private")
FOLDERS = (
    *(Folder(role, role.title(), role) for role in ROLES),
    Folder("projects", "Projekte"),
    Folder("second", "Gesendete Objekte", "sent"),
    Folder("annas", "Other Users/anna", foreign=True),
)
PLAIN = AccountState(folders=FOLDERS)
LABELS = (*FOLDERS[:6], Folder(ALL_MAIL, "Alle Nachrichten", "all"), *FOLDERS[7:])
GMAIL = AccountState(folders=LABELS, gmail=True)


def account(**changes: Any) -> Account:
    return Account(TenantId("t"), "a", "a@b.de", "a@b.de", "imap.b.de", 993, "a", 1, **changes)


def ids(folders: tuple[Folder, ...]) -> list[str]:
    return [folder.folder_id for folder in folders]


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, ["inbox", "sent", "second"]),
        ({"sync_folders": "all"}, ["inbox", "sent", "archive", "projects", "second"]),
        ({"sync_folders": "chosen"}, []),
        ({"sync_folders": "chosen", "folder_modes": {"projects": "auto"}}, ["projects"]),
        ({"folder_modes": {"sent": "on_demand"}}, ["inbox", "second"]),
        (
            {"folder_modes": {"trash": "auto", "annas": "auto"}},
            ["inbox", "sent", "trash", "second", "annas"],
        ),
        (
            {"sync_folders": "all", "folder_modes": {"archive": "private"}},
            ["inbox", "sent", "projects", "second"],
        ),
    ],
)
def test_what_polls_read(settings: dict[str, Any], read: list[str]) -> None:
    assert ids(polled(account(**settings), PLAIN)) == read


@pytest.mark.parametrize(
    ("role", "mode"),
    [
        *(("drafts", "never"), ("trash", "never"), ("junk", "never"), ("private", "private")),
        *(("archive", "on_demand"), ("all", "on_demand"), ("flagged", "on_demand")),
    ],
)
@pytest.mark.parametrize("sync_folders", ["inbox_and_sent", "chosen"])
def test_what_a_folder_is_for_proposes_its_mode(role: str, mode: str, sync_folders: str) -> None:
    assert mode_of(account(sync_folders=sync_folders), PLAIN, Folder(role, "", role)) == mode


@pytest.mark.parametrize("sync_folders", ["inbox_and_sent", "all"])
def test_of_gmail_all_mail_is_read_alone(sync_folders: str) -> None:
    assert ids(polled(account(sync_folders=sync_folders), GMAIL)) == [ALL_MAIL]
    assert followed(account(sync_folders=sync_folders), GMAIL) == ()


def test_gmail_without_all_mail_is_read_as_any_other_and_says_so() -> None:
    hidden = AccountState(folders=FOLDERS[:2], gmail=True)

    assert ids(polled(account(), hidden)) == ["inbox", "sent"]
    assert [hides_all_mail(state) for state in (hidden, GMAIL, PLAIN)] == [True, False, False]


def test_moved_mail_is_looked_for_where_it_may_be_read() -> None:
    modes = {"second": "on_demand", "archive": "private", "junk": "on_demand"}

    assert ids(followed(account(), PLAIN)) == ["archive", "projects"]
    assert ids(followed(account(folder_modes=modes), PLAIN)) == ["projects", "second"]
    assert ids(followed(account(sync_folders="all"), PLAIN)) == []


def test_never_is_never() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_mode(account(), PLAIN, FOLDERS[3], "/folders/0")

    assert (refused.value.code, refused.value.pointer) == ("folder_never_synced", "/folders/0")
    check_mode(account(folder_modes={"trash": "on_demand"}), PLAIN, FOLDERS[3])


@pytest.mark.parametrize(
    ("mode", "role", "private"),
    [
        *((None, "private", True), (None, "", False), ("private", "inbox", True)),
        *(("on_demand", "private", False), ("auto", "private", False), ("never", "private", False)),
    ],
)
def test_a_folder_is_private_by_name_until_a_person_says_otherwise(
    mode: str | None, role: str, *, private: bool
) -> None:
    modes = {"f": mode} if mode else {}

    assert is_private(account(folder_modes=modes), "f", role) == private
