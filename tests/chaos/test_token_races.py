"""Two workers refresh one grant at once, stopped and killed at every call: in the end it is valid,
or the account says `reauth_required`; a stale token never stands over a newer one."""

import itertools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.support.interleaving import Scheduler, Writer
from tests.support.mailboxes import TENANT
from tests.support.oauth import an_account, register

from ablage.errors import AccountFault
from ablage.faults import fault
from ablage.oauth import GOOGLE
from ablage.settings import settings
from ablage.store import grants, keys
from ablage.store.aws import client
from ablage.store.grants import Grants
from ablage.store.keys import Key
from ablage.store.oauth_clients import CLIENT_SECRET, secret_owner
from ablage.store.secrets import Secret, Secrets
from ablage.store.storage import Storage
from ablage.store.table import ConditionFailed, Item, Table
from sync.access import Access
from sync.identity import IdentityProviders, Tokens

INTERLEAVINGS = 1_000


class Provider(IdentityProviders):
    """In memory; each refresh gives the next number. Calls stop before and after."""

    def __init__(self, *, keeps_old: bool, stop: Callable[[], None]) -> None:
        self.keeps_old = keeps_old
        self.alive = {0}
        self._stop = stop
        self._next = itertools.count(1)

    def tokens(self, url: str, form: Mapping[str, str]) -> Tokens:
        assert url == GOOGLE.token_url
        self._stop()
        used = int(form["refresh_token"])
        if used not in self.alive:
            self._stop()
            raise fault("access_revoked")
        if not self.keeps_old:
            self.alive.discard(used)
        given = next(self._next)
        self.alive.add(given)
        self._stop()
        return Tokens(f"access-{given}", 3600, str(given))


class Kms:
    """Opens what it sealed for the same context."""

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: Item) -> Item:  # noqa: N803
        text = Plaintext.decode("latin-1")
        return {"CiphertextBlob": json.dumps([text, EncryptionContext]).encode()}

    def decrypt(self, *, CiphertextBlob: bytes, EncryptionContext: Item) -> Item:  # noqa: N803
        text, context = json.loads(CiphertextBlob)
        assert context == EncryptionContext
        return {"Plaintext": text.encode("latin-1")}


class MemoryTable(Table):
    """The few expressions of grants, a hundred times faster than moto, which runs some of the same
    interleavings below. Calls stop before and after."""

    def __init__(self, stop: Callable[[], None]) -> None:
        super().__init__(None, "memory")
        self.items: dict[Key, Item] = {}
        self._stop = stop

    def get(self, key: Key, *, consistent: bool = False) -> Item | None:
        self._stop()
        found = self.items.get(key)
        self._stop()
        return dict(found) if found else None

    def query(self, pk: str, **_: Any) -> list[Item]:
        self._stop()
        found = [{"sk": key[1], **item} for key, item in self.items.items() if key[0] == pk]
        self._stop()
        return found

    def update(
        self, key: Key, expression: str, *, condition: Any = None, names: Any = None,
        values: Any = None,
    ) -> Item:  # fmt: skip
        self._stop()
        item = self.items.get(key, {})
        clauses = [clause.split(" = ") for clause in condition.split(" AND ")]
        if any(item.get(name) != values[value] for name, value in clauses):
            self._stop()
            raise ConditionFailed
        sets, _, removes = expression.removeprefix("SET ").partition(" REMOVE ")
        changed = {n: values[v] for n, v in (part.split(" = ") for part in sets.split(", "))}
        gone = removes.split(", ")
        self.items[key] = {n: v for n, v in (item | changed).items() if n not in gone}
        self._stop()
        return self.items[key]

    def put(self, key: Key, item: Any, **_: Any) -> None:
        self.items[key] = dict(item)

    def transact(self, actions: Any) -> None:
        """A token for other workers: there is no account that it could be kept for."""
        raise ConditionFailed


class World:
    def __init__(self, secrets: Secrets, table: Table, scheduler: Scheduler) -> None:
        self.secrets = secrets
        self.table = table
        self.scheduler = scheduler
        secret = Secret(grants.REFRESH_TOKEN, "0")
        self._first = secrets.seal(TENANT, "box", secret)
        secrets.keep_token(TENANT, "nobody", 0, "", 0)  # the data key: made under a lock
        self.results: list[str | None] = []

    def start(self, provider: Provider) -> Writer:
        access = Access(self.table, self.secrets, provider, settings())
        return self.scheduler.start(lambda: self.results.append(self.used(access)))

    def used(self, access: Access) -> str | None:
        """The access token, or None where the account must be authorized anew."""
        try:
            return str(getattr(access.credential(an_account()), "text", ""))
        except AccountFault:
            return None

    def first(self) -> Item:
        return {"schema": 1, "kind": grants.REFRESH_TOKEN, "v": 1, "sealed": self._first}

    def stored(self) -> tuple[int, bool]:
        """The token's number, and whether it is buried."""
        grant, _ = Grants(self.table, TENANT, "box").read()
        assert grant is not None
        number = self.secrets.unseal(TENANT, "box", grants.REFRESH_TOKEN, grant.sealed)
        return int(number), grant.dead is not None


def stopping(scheduler: Scheduler) -> Callable[[], None]:
    def stop() -> None:
        writer = getattr(scheduler.local, "writer", None)
        if writer:
            writer.at_call()

    return stop


def run(world: World, provider: Provider, seed: int) -> bool:
    """Whether somebody was killed."""
    chance = random.Random(seed)
    writers = [world.start(provider) for _ in range(2 + chance.randrange(2))]
    deadly = chance.random() < 0.5
    newest = 0
    while waiting := [writer for writer in writers if not writer.ended]:
        chance.choice(waiting).step(kill=deadly and chance.random() < 0.05)
        number, _ = world.stored()
        assert number >= newest
        newest = number
    return any(writer.killed for writer in writers)


def check(world: World, *, keeps_old: bool, seeds: range) -> None:
    for seed in seeds:
        world.table.put(keys.secret(TENANT, "box"), world.first())
        provider = Provider(keeps_old=keeps_old, stop=stopping(world.scheduler))

        world.results.clear()
        is_killed = run(world, provider, seed)

        assert is_killed or not keeps_old or None not in world.results
        token = world.used(Access(world.table, world.secrets, provider, settings()))
        number, is_dead = world.stored()
        if token is None:  # only the death of who had the newest token loses it
            assert is_dead
            assert is_killed
            assert not keeps_old
        else:
            assert token == f"access-{number}"
            assert number in provider.alive
            assert not is_dead


def in_memory() -> World:
    scheduler = Scheduler()
    table = MemoryTable(stopping(scheduler))
    secrets = Secrets(table, Kms(), key_id="key")
    owner = secret_owner("google")
    table.items[keys.oauth_client(TENANT, "google")] = {
        "client_id": "id", "directory": "common", "redirect_uris": [], "version": 1,
    }  # fmt: skip
    table.items[keys.client_secret(TENANT, "google")] = {
        "kind": CLIENT_SECRET, "sealed": secrets.seal(TENANT, owner, Secret(CLIENT_SECRET, "x")),
    }  # fmt: skip

    return World(secrets, table, scheduler)


@pytest.mark.parametrize("keeps_old", [True, False])
def test_a_grant_survives_a_thousand_interleavings_or_says_so(
    aws: Storage, keeps_old: bool
) -> None:
    check(in_memory(), keeps_old=keeps_old, seeds=range(INTERLEAVINGS))


def test_who_was_slower_goes_on_with_the_newer_token(aws: Storage) -> None:
    world = in_memory()
    world.table.put(keys.secret(TENANT, "box"), world.first())
    faster = itertools.count()

    def overtaken() -> None:
        if next(faster) == 0:
            assert world.used(Access(world.table, world.secrets, provider, settings()))

    provider = Provider(keeps_old=False, stop=overtaken)

    assert world.used(Access(world.table, world.secrets, provider, settings())) == "access-2"
    assert world.stored() == (2, False)


@pytest.mark.parametrize("keeps_old", [True, False])
def test_the_same_holds_over_the_real_table(aws: Storage, keeps_old: bool) -> None:
    register(aws)
    secrets = Secrets(aws.table, client("kms"), key_id=settings().secrets_key_id)
    world = World(secrets, aws.table, Scheduler(client("dynamodb")))

    check(world, keeps_old=keeps_old, seeds=range(6))
