"""The data role: whose credentials sign what, for how long, and that they are never another's."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.client
import pytest
from tests.support.http_events import Client

from ablage.store import tenant_role
from ablage.store.archive import LINK_SECONDS
from ablage.store.aws import client
from ablage.store.import_files import UPLOAD_SECONDS
from ablage.store.storage import acting_for, data_role, storage
from ablage.store.tenant_role import RESERVE_SECONDS, TENANTS_KEPT, TenantRole
from ablage.tenancy import TenantId
from api.threads import side_by_side

ARN = "arn:aws:iam::123456789012:role/stack-DataRole-1"
START = datetime(2026, 11, 26, tzinfo=UTC).timestamp()


class Sts:
    """Counts; the key of a session names its tenant."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.at = START

    def assume_role(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        names = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        ends = datetime.fromtimestamp(self.at, UTC) + timedelta(seconds=request["DurationSeconds"])
        keys = {"AccessKeyId": names["tenant"], "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": keys | {"Expiration": ends}}


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def role(sts: Sts) -> TenantRole:
    return TenantRole(sts, ARN, now=lambda: sts.at)


def signed_as() -> str | None:
    found = tenant_role._acting.get()
    return found.access_key if found else None


def test_a_warm_function_asks_once_for_a_tenant_until_shortly_before_the_end(
    role: TenantRole, sts: Sts
) -> None:
    for _ in range(3):
        with role.acting_for(TenantId("acme")):
            assert signed_as() == "acme"
    sts.at += 3600 - RESERVE_SECONDS
    with role.acting_for(TenantId("acme")):
        pass
    assert len(sts.asked) == 1

    sts.at += 1
    with role.acting_for(TenantId("acme")):
        pass

    assert len(sts.asked) == 2
    assert sts.asked[0]["RoleArn"] == ARN
    longest = max(LINK_SECONDS, UPLOAD_SECONDS)
    assert longest + 30 <= RESERVE_SECONDS  # of a link made in an invocation's last second


def test_no_session_serves_another_tenant(role: TenantRole, sts: Sts) -> None:
    for tenant in ("acme", "acme2", "acme", "other"):
        with role.acting_for(TenantId(tenant)):
            assert signed_as() == tenant
        assert signed_as() is None

    assert [r["Tags"][0]["Value"] for r in sts.asked] == ["acme", "acme2", "other"]


def test_threads_of_a_request_act_for_its_tenant_and_others_for_nobody(role: TenantRole) -> None:
    with role.acting_for(TenantId("acme")):
        ours = side_by_side(lambda _: signed_as(), range(20), threads=4)
        with ThreadPoolExecutor(max_workers=1) as pool:
            theirs = pool.submit(signed_as).result()

    assert (set(ours), theirs) == ({"acme"}, None)


def test_a_failure_leaves_nobody_acted_for(role: TenantRole) -> None:
    with pytest.raises(RuntimeError), role.acting_for(TenantId("acme")):
        raise RuntimeError

    assert signed_as() is None


def test_sessions_kept_are_bounded(role: TenantRole, sts: Sts) -> None:
    for number in range(TENANTS_KEPT + 1):
        with role.acting_for(TenantId(f"t{number}")):
            pass
    with role.acting_for(TenantId(f"t{TENANTS_KEPT}")):
        pass
    assert len(sts.asked) == TENANTS_KEPT + 1

    with role.acting_for(TenantId("t0")):
        pass

    assert len(sts.asked) == TENANTS_KEPT + 2


# ---- through the handler, with clients as in Lambda ----------------------------------------------


@pytest.fixture
def signed(aws: object, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """Service, operation, and whether a session's credentials signed it."""
    calls: list[tuple[str, str, bool]] = []
    answer = botocore.client.BaseClient._make_api_call

    def noted(self: Any, operation: str, request: dict[str, Any]) -> Any:
        token = self._request_signer._credentials.get_frozen_credentials().token
        calls.append((self.meta.service_model.service_name, operation, token is not None))
        return answer(self, operation, request)

    data_role.cache_clear()  # no session is known yet
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", noted)
    return calls


def test_the_api_touches_data_as_the_tenant_alone_and_queues_as_itself(
    signed: list[tuple[str, str, bool]],
) -> None:
    account = {"id": "anna", "address": "anna@own.de", "host": "imap.own.de", "password": "canary"}

    assert Client("acme")("POST", "/v1/accounts", account).status == 201
    cold = len([call for call in signed if call[0] == "sts"])
    assert Client("acme")("GET", "/v1/accounts/anna").status == 200

    assert cold == len([call for call in signed if call[0] == "sts"]) == 1
    by_session = {service for service, _, acting in signed if acting}
    by_itself = {service for service, _, acting in signed if not acting}
    assert (by_session, by_itself) == ({"dynamodb"}, {"sts", "sqs", "kms"})


def test_links_are_signed_with_the_session(signed: list[tuple[str, str, bool]]) -> None:
    place = {"Bucket": "archive-bucket", "Key": "archive/acme/m/s.eml"}

    with acting_for(TenantId("acme")):
        inside = storage().archive.link(TenantId("acme"), "m", "s")
    outside = client("s3").generate_presigned_url("get_object", Params=place)

    assert "X-Amz-Security-Token" in inside or "x-amz-security-token" in inside
    assert "ecurity" not in str(parse_qs(urlsplit(outside).query).keys())
    assert signed == [("sts", "AssumeRole", False)]
