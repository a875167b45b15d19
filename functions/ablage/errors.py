"""Every error the house raises on purpose.

AblageError                      code: stable, detail: one plain sentence, never a server's text
├── InvalidInput                 what the caller sent cannot be used (HTTP 422, or `status`)
│   └── TooLarge                 more than we take of it (HTTP 413)
├── Forbidden                    this caller may not see it (HTTP 403)
├── NotFound                     no such thing in this tenant (HTTP 404)
├── Conflict                     a newer version exists, or it exists already (HTTP 409)
│   └── PreconditionFailed       the version the caller named is not the one there (HTTP 412)
├── TooMany                      asked for more often than is allowed (HTTP 429)
├── Gone                         it was here and has expired (HTTP 410)
│   └── Merged                   it lives on under another id
└── AccountFault                 a mailbox refuses or misbehaves: the account's state
Store errors (`ablage.store.table`):
    ConditionFailed              a conditional write lost
"""


class AblageError(Exception):
    """`code` is stable and documented, `detail` says what to change, `pointer` names the field
    (JSON pointer); `retry_after`, where set, the seconds until it may be tried again."""

    status = 500
    retry_after: int | None = None

    def __init__(self, code: str, detail: str, pointer: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.pointer = pointer


class InvalidInput(AblageError):
    status = 422


class TooLarge(InvalidInput):
    status = 413


class Forbidden(AblageError):
    status = 403


class NotFound(AblageError):
    status = 404


class Conflict(AblageError):
    status = 409


class PreconditionFailed(Conflict):
    """The caller named the version it had read, and another stands there: `current`, 0 for none."""

    status = 412

    def __init__(self, code: str, detail: str, pointer: str, current: int) -> None:
        super().__init__(code, detail, pointer)
        self.current = current


class TooMany(AblageError):
    """`retry_after`: seconds until it may be asked for again."""

    status = 429

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Gone(AblageError):
    status = 410


class Merged(Gone):
    """A contact was merged into `merged_into`: its id is not used again."""

    def __init__(self, merged_into: str) -> None:
        super().__init__("merged", f"This contact was merged into {merged_into}; use that id.")
        self.merged_into = merged_into


class AccountFault(AblageError):
    """A mailbox cannot be used now. `state` is what the account shows: `reauth_required`,
    `throttled` or `degraded`; `stated` the seconds the server asks us to wait, 0 if it does not."""

    status = 502

    def __init__(
        self, code: str, detail: str, state: str = "degraded", stated: float = 0.0
    ) -> None:
        super().__init__(code, detail)
        self.state = state
        self.stated = stated
