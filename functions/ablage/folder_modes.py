"""Which folders are read, and how: the person's choice, else what the folder is for.

auto       read by every poll
on_demand  read when somebody asks; searched for mail that was moved before it was read
never      not read, not even when asked
private    read when somebody asks; its mail is never filed automatically, none is looked for there
"""

from ablage.accounts import ALL_MAIL, Account, AccountState, Folder
from ablage.errors import InvalidInput

_KEPT_OUT = {"junk", "trash", "drafts"}
_VIEWS = {"all", "flagged", "important"}  # they show mail that lies elsewhere


def mode_of(account: Account, state: AccountState, folder: Folder) -> str:
    chosen = account.folder_modes.get(folder.folder_id)
    return chosen or _default_mode(account, state, folder)


def _default_mode(account: Account, state: AccountState, folder: Folder) -> str:
    if folder.role in _KEPT_OUT:
        return "never"
    if folder.role == "private":
        return "private"
    return "auto" if _is_read(account, state, folder) else "on_demand"


def _is_read(account: Account, state: AccountState, folder: Folder) -> bool:
    """Of Gmail All Mail alone: it holds every mail once, whatever its labels."""
    if account.sync_folders == "chosen":
        return False
    if reads_all_mail(state):
        return folder.folder_id == ALL_MAIL
    if folder.foreign or folder.role in _VIEWS:
        return False
    return account.sync_folders == "all" or folder.role in {"inbox", "sent"}


def reads_all_mail(state: AccountState) -> bool:
    """Gmail, and All Mail is not hidden from IMAP."""
    return state.gmail and any(folder.folder_id == ALL_MAIL for folder in state.folders)


def hides_all_mail(state: AccountState) -> bool:
    return state.gmail and bool(state.folders) and not reads_all_mail(state)


def polled(account: Account, state: AccountState) -> tuple[Folder, ...]:
    """What every poll looks at."""
    return tuple(f for f in state.folders if mode_of(account, state, f) == "auto")


def followed(account: Account, state: AccountState) -> tuple[Folder, ...]:
    """Where mail is looked for that was moved before it was read. Within All Mail nothing moves."""
    if reads_all_mail(state):
        return ()
    return tuple(f for f in state.folders if _is_followed(account, state, f))


def _is_followed(account: Account, state: AccountState, folder: Folder) -> bool:
    is_out = folder.foreign or folder.role in _KEPT_OUT | _VIEWS
    return not is_out and mode_of(account, state, folder) == "on_demand"


def is_private(account: Account, folder_id: str, role: str) -> bool:
    """Whether a copy from this folder keeps its message from automatic filing."""
    mode = account.folder_modes.get(folder_id)
    return mode == "private" if mode else role == "private"


def check_mode(
    account: Account, state: AccountState, folder: Folder, pointer: str | None = None
) -> None:
    """Raises InvalidInput `folder_never_synced`."""
    if mode_of(account, state, folder) == "never":
        detail = (
            f"The folder {folder.name} is never read. Give it another mode first, in the account's "
            "folder_modes: on_demand, private or auto."
        )
        raise InvalidInput("folder_never_synced", detail, pointer)
