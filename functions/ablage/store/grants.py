"""What a person granted: refresh tokens and the codes they come from, sealed, beside each other.

    v 5: R1                      v 6: R2, previous R1           v 7: R3, previous R2
     |--- worker A: refresh R1 ----| (condition v = 5)            |
     |--- worker B: refresh R1 ------- condition v = 5 fails: reads again, goes on with R2

Only a version that was read is ever replaced, so a stale token never stands over a newer one; the
token before stays until the next has worked."""

from dataclasses import dataclass, field
from typing import Any

from ablage.store import keys
from ablage.store.keys import Key
from ablage.store.table import (
    ConditionFailed,
    Item,
    Table,
    delete_action,
    put_action,
    update_action,
)
from ablage.tenancy import TenantId

SCHEMA = 1
REFRESH_TOKEN = "refresh_token"  # noqa: S105  kinds of secrets
CODE = "oauth_code"
VERIFIER = "oauth_verifier"
REVOCATION = "revocation"
CLAIM_SECONDS = 60  # longer than a call to a provider takes


@dataclass(frozen=True)
class Grant:
    """`dead` is the code of a final refusal; `dead_client` the version of the client it was said
    to, where it was about the client. `sealed` is empty where no token ever came."""

    version: int
    sealed: bytes = field(repr=False)
    previous: bytes | None = field(default=None, repr=False)
    dead: str | None = None
    dead_client: int | None = None


@dataclass(frozen=True)
class Code:
    """Sealed code and PKCE verifier, as the API left them; good until `expires` (epoch seconds)."""

    code_id: str
    sealed: bytes = field(repr=False)
    verifier: bytes = field(repr=False)
    redirect_uri: str = ""
    expires: int = 0


def code_item(code: Code) -> Item:
    """The item at `keys.secret_code`, without its key."""
    return {
        "schema": SCHEMA,
        "kind": CODE,
        "id": code.code_id,
        "sealed": code.sealed,
        "verifier": code.verifier,
        "redirect_uri": code.redirect_uri,
        "expires": code.expires,
    }


@dataclass(frozen=True)
class Grants:
    """Those of one account. Writes answer False when somebody else wrote first."""

    table: Table
    tenant: TenantId
    account_id: str

    def read(self) -> tuple[Grant | None, Code | None]:
        items = self.table.query(keys.secrets(self.tenant, self.account_id), consistent=True)
        known = {item["sk"]: item for item in items}
        return _grant(known.get("SECRET")), _code(known.get("CODE"))

    def rotate(self, grant: Grant, sealed: bytes, kept: bytes) -> bool:
        """A newer token in place of `grant`, of which `kept` has just worked."""
        change = "SET sealed = :sealed, previous = :kept, v = :next REMOVE dead, dead_client"
        values = {":sealed": sealed, ":kept": kept, ":next": grant.version + 1}
        return self._replace(grant, change, values)

    def bury(self, grant: Grant, code: str, client: int) -> bool:
        """The provider refused for good: nobody asks again with this version."""
        change = "SET dead = :dead, dead_client = :client"
        return self._replace(grant, change, {":dead": code, ":client": client})

    def _replace(self, grant: Grant, change: str, values: dict[str, Any]) -> bool:
        known = {":v": grant.version, ":kind": REFRESH_TOKEN}
        place = keys.secret(self.tenant, self.account_id)
        return self._update(place, change, "v = :v AND kind = :kind", values | known)

    def claim(self, code: Code, now: int) -> bool:
        """A code works once: one worker redeems it. A worker that died leaves it to the next."""
        is_mine, is_free = "id = :id", "(attribute_not_exists(claimed) OR claimed < :now)"
        values = {":id": code.code_id, ":now": now, ":until": now + CLAIM_SECONDS}
        return self._update(
            self._code_place(), "SET claimed = :until", f"{is_mine} AND {is_free}", values
        )

    def release(self, code: Code) -> bool:
        """The provider could not be asked: the code is tried again."""
        return self._update(self._code_place(), "REMOVE claimed", "id = :id", {":id": code.code_id})

    def _update(self, place: Key, change: str, condition: str, values: dict[str, Any]) -> bool:
        try:
            self.table.update(place, change, condition=condition, values=values)
        except ConditionFailed:
            return False
        return True

    def redeemed(self, code: Code, before: Grant | None, sealed: bytes) -> bool:
        """The token the code was good for, in place of whatever stood there; the code goes."""
        return self._finish(code, [self._put(before, {"sealed": sealed})])

    def refuse(self, code: Code | None, before: Grant | None, dead: str, client: int) -> bool:
        """A code is spent, or access without a person was refused: the account shows `dead`, unless
        an earlier grant of it goes on working."""
        item = {"sealed": b"", "dead": dead, "dead_client": client}
        goes_on = before is not None and before.sealed
        return self._finish(code, [] if goes_on else [self._put(before, item)])

    def to_revoke(self) -> bytes | None:
        """The token of a disconnected mailbox, which no login opens any more; None when there is
        none, or the mailbox was connected anew (then its provider would end that access too)."""
        item = self.table.get(keys.secret(self.tenant, self.account_id), consistent=True)
        return item.get("sealed") if item and item["kind"] == REVOCATION else None

    def forget_revoked(self) -> bool:
        place, values = keys.secret(self.tenant, self.account_id), {":kind": REVOCATION}
        try:
            self.table.delete(place, condition="kind = :kind", values=values)
        except ConditionFailed:
            return False
        return True

    def _put(self, before: Grant | None, item: Item) -> dict[str, Any]:
        """What is no grant that stands there (a password, a token to be revoked) is replaced."""
        known = {"schema": SCHEMA, "kind": REFRESH_TOKEN, "v": before.version + 1 if before else 1}
        place = keys.secret(self.tenant, self.account_id)
        if before is None:
            is_as_read = "attribute_not_exists(pk) OR kind <> :kind"
            return put_action(place, item | known, is_as_read, {":kind": REFRESH_TOKEN})
        values = {":v": before.version, ":kind": REFRESH_TOKEN}
        return put_action(place, item | known, "v = :v AND kind = :kind", values)

    def _finish(self, code: Code | None, actions: list[dict[str, Any]]) -> bool:
        """The code goes in the same transaction: a mailbox that was disconnected has none."""
        if code is not None:
            gone = delete_action(self._code_place(), "id = :id", {":id": code.code_id})
            actions = [*actions, gone]
        try:
            self.table.transact(actions)
        except ConditionFailed:
            return False
        return True

    def _code_place(self) -> Key:
        return keys.secret_code(self.tenant, self.account_id)


def retire_action(tenant: TenantId, account_id: str) -> dict[str, Any]:
    """Takes a token away from its mailbox and leaves it to be revoked."""
    change = "SET kind = :kind REMOVE previous, dead, dead_client"
    return update_action(keys.secret(tenant, account_id), change, {":kind": REVOCATION})


def _grant(item: Item | None) -> Grant | None:
    if item is None or item["kind"] != REFRESH_TOKEN:
        return None
    return Grant(
        item["v"], item["sealed"], item.get("previous"), item.get("dead"), item.get("dead_client")
    )


def _code(item: Item | None) -> Code | None:
    if item is None:
        return None
    return Code(item["id"], item["sealed"], item["verifier"], item["redirect_uri"], item["expires"])
