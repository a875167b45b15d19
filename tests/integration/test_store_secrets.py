"""Secrets: sealed to their tenant, account and kind; opened once an hour."""

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
from ablage.tenancy import TenantId


def keep(where: Storage, tenant: TenantId, text: str, account_id: str = "box") -> None:
    item = seal(
        client("kms"), settings().secrets_key_id, tenant, account_id, Secret("password", text)
    )
    where.table.put(keys.secret(tenant, account_id), item)


def secrets(where: Storage, clock: float = 0.0) -> Secrets:
    return Secrets(where.table, client("kms"), lambda: clock)


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
    opened = Secrets(aws.table, client("kms"), lambda: at[0])
    opened.open(TENANT, "box", 1)

    with aws_calls() as calls:
        opened.open(TENANT, "box", 1)
        at[0] = CACHE_SECONDS - 1
        opened.open(TENANT, "box", 1)
        assert calls == []
        at[0] = CACHE_SECONDS
        opened.open(TENANT, "box", 1)

    assert calls == ["dynamodb:GetItem", "kms:Decrypt"]


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
