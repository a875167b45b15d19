"""Secrets: sealed to their tenant, account and kind; opened once an hour."""

from collections.abc import Callable

import boto3
import pytest
from tests.support.aws_calls import aws_calls
from tests.support.mailboxes import OTHER, TENANT

from ablage.errors import AccountFault, InvalidInput
from ablage.settings import settings
from ablage.store import keys
from ablage.store.aws import client
from ablage.store.secrets import CACHE_SECONDS, Secret, Secrets, seal
from ablage.store.storage import Storage
from ablage.store.table import Table
from ablage.tenancy import TenantId


def keep(where: Storage, tenant: TenantId, text: str, account_id: str = "box") -> None:
    item = seal(
        client("kms"), settings().secrets_key_id, tenant, account_id, Secret("password", text)
    )
    where.table.put(keys.secret(tenant, account_id), item)


def secrets(where: Storage, clock: float = 0.0) -> Secrets:
    return Secrets(where.table, client("kms"), lambda: clock, settings().secrets_key_id)


def test_what_is_sealed_opens(aws: Storage) -> None:
    keep(aws, TENANT, "geheim ü")

    assert secrets(aws).open(TENANT, "box", 1) == Secret("password", "geheim ü")


def test_equal_ids_of_two_tenants_have_their_own_secrets(aws: Storage) -> None:
    keep(aws, TENANT, "mine")
    keep(aws, OTHER, "theirs")

    opened = secrets(aws)

    assert opened.open(TENANT, "box", 1).text == "mine"
    assert opened.open(OTHER, "box", 1).text == "theirs"


@pytest.mark.parametrize(("tenant", "account_id"), [(OTHER, "box"), (TENANT, "other-box")])
def test_a_blob_copied_elsewhere_does_not_open(
    aws: Storage, tenant: TenantId, account_id: str
) -> None:
    keep(aws, TENANT, "mine")
    item = aws.table.get(keys.secret(TENANT, "box"))
    assert item is not None
    kept = {name: item[name] for name in ("schema", "kind", "sealed")}
    aws.table.put(keys.secret(tenant, account_id), kept)

    with pytest.raises(AccountFault) as fault:
        secrets(aws).open(tenant, account_id, 1)

    assert (fault.value.code, fault.value.state) == ("secret_missing", "reauth_required")


def test_no_secret_is_a_fault_of_the_account(aws: Storage) -> None:
    with pytest.raises(AccountFault) as fault:
        secrets(aws).open(TENANT, "box", 1)

    assert fault.value.code == "secret_missing"


def test_an_opened_secret_is_kept_for_an_hour(aws: Storage) -> None:
    keep(aws, TENANT, "mine")
    at = [0.0]
    opened = Secrets(aws.table, client("kms"), lambda: at[0], settings().secrets_key_id)
    opened.open(TENANT, "box", 1)

    with aws_calls() as calls:
        opened.open(TENANT, "box", 1)
        at[0] = CACHE_SECONDS - 1
        opened.open(TENANT, "box", 1)
        assert calls == []
        at[0] = CACHE_SECONDS
        opened.open(TENANT, "box", 1)

    assert calls == ["dynamodb:GetItem", "dynamodb:GetItem", "kms:Decrypt"]  # the data key, too


def test_a_new_version_of_the_account_opens_anew(aws: Storage) -> None:
    keep(aws, TENANT, "old")
    opened = secrets(aws)
    opened.open(TENANT, "box", 1)
    keep(aws, TENANT, "new")

    assert opened.open(TENANT, "box", 2).text == "new"


def test_the_item_does_not_hold_the_secret(aws: Storage) -> None:
    keep(aws, TENANT, "canary-secret")

    found = boto3.client("dynamodb").scan(TableName=aws.table.name)

    assert "canary-secret" not in str(found)
    assert "canary-secret" not in repr(Secret("password", "canary-secret"))


def test_a_secret_longer_than_kms_takes_is_refused(aws: Storage) -> None:
    with pytest.raises(InvalidInput) as refused:
        keep(aws, TENANT, "ü" * 2049)

    assert refused.value.code == "secret_too_long"


def test_another_process_asks_kms_once_for_all_accounts_of_a_tenant(aws: Storage) -> None:
    names = [f"box{n}" for n in range(10)]
    for name in names:
        keep(aws, TENANT, f"secret of {name}", name)
        secrets(aws).open(TENANT, name, 1)
    other = secrets(aws)

    with aws_calls() as calls:
        opened = [other.open(TENANT, name, 1).text for name in names]

    assert opened == [f"secret of {name}" for name in names]
    assert calls.count("kms:Decrypt") == 1
    assert len(calls) == 12


def test_each_tenant_has_its_own_data_key(aws: Storage) -> None:
    for tenant in (TENANT, OTHER):
        keep(aws, tenant, f"of {tenant}")
        secrets(aws).open(tenant, "box", 1)

    theirs = aws.table.get(keys.opened_secret(OTHER, "box"))
    assert theirs
    aws.table.put(keys.opened_secret(TENANT, "box"), theirs)

    assert secrets(aws).open(TENANT, "box", 1).text == f"of {TENANT}"


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"kind": "refresh_token"}, {"sealed": b"x" * 40}]
)
def test_a_copy_of_another_version_or_a_broken_one_is_not_believed(
    aws: Storage, change: dict[str, object]
) -> None:
    keep(aws, TENANT, "old")
    secrets(aws).open(TENANT, "box", 1)
    keep(aws, TENANT, "new")
    copy = aws.table.get(keys.opened_secret(TENANT, "box"))
    assert copy

    aws.table.put(keys.opened_secret(TENANT, "box"), copy | change)

    assert secrets(aws).open(TENANT, "box", 1).text == "new"


def test_two_processes_that_make_a_data_key_at_once_share_the_first(aws: Storage) -> None:
    keep(aws, TENANT, "mine")
    first, second = secrets(aws), secrets(aws)
    second._data_keys._table = Racing(aws.table, lambda: first.open(TENANT, "box", 1))  # type: ignore[assignment]

    assert second.open(TENANT, "box", 1).text == "mine"
    assert secrets(aws).open(TENANT, "box", 1).text == "mine"
    assert aws.table.get(keys.data_key(OTHER)) is None


class Racing:
    """A table before whose first put something else happens."""

    def __init__(self, table: Table, first: Callable[[], object]) -> None:
        self._table, self._first = table, [first]

    def __getattr__(self, name: str) -> object:
        return getattr(self._table, name)

    def put(self, *args: object, **options: object) -> None:
        if self._first:
            self._first.pop()()
        self._table.put(*args, **options)  # type: ignore[arg-type]


def test_no_copy_outlives_its_secret(aws: Storage) -> None:
    keep(aws, TENANT, "mine")
    opened = secrets(aws)
    opened._data_keys._table = Racing(  # type: ignore[assignment]
        aws.table, lambda: aws.table.delete(keys.secret(TENANT, "box"))
    )

    assert opened.open(TENANT, "box", 1).text == "mine"
    assert aws.table.get(keys.opened_secret(TENANT, "box")) is None
