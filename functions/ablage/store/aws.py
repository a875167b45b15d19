"""AWS clients, made once per process and service: a second session costs 20 to 120 ms of cold
start. They are boto3's but for the table's, which every start needs: botocore makes the same one
without the 30 ms that boto3 takes to load.

Where a data role is set (`DATA_ROLE_ARN`: the API), the table's and the buckets' clients sign for
the tenant at hand, see `ablage.store.tenant_role`."""

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as Unreachable

from ablage.store.descriptions import Descriptions
from ablage.store.tenant_role import ActingCredentials

DATA = ("dynamodb", "s3")
_making = threading.RLock()

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    max_pool_connections=64,
    connect_timeout=5,
    read_timeout=20,
)
# Links of version 2, still the default of some regions, sign neither length nor type of an upload.
_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


def client(service: str) -> Any:
    """One of `descriptions.SERVICES`. May be asked for by many threads."""
    with _making:
        return _client(service, bool(os.environ.get("DATA_ROLE_ARN")))


class LateClient:
    """A client that is made when it is first called, by whichever thread."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(client(self._service), name)


@functools.cache
def _client(service: str, has_role: bool) -> Any:
    config = _S3_CONFIG if service == "s3" else _CONFIG
    session = _acting_session() if has_role and service in DATA else _own_session()
    if service == "dynamodb":
        return session.create_client(service, config=config)
    return _boto3(session).client(service, config=config)


@functools.cache
def _boto3(session: botocore.session.Session) -> Any:
    """One for each of botocore's: a second one would add its methods to S3's client again."""
    import boto3  # noqa: PLC0415  see above

    return boto3.session.Session(botocore_session=session)


def credentials() -> Any:
    """The function's own; botocore refreshes them when they are about to expire."""
    return _own_session().get_credentials()


@functools.cache
def _own_session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", Descriptions())
    return session


@functools.cache
def _acting_session() -> botocore.session.Session:
    """Shares what makes a session slow: the service descriptions that were read."""
    session, own = botocore.session.get_session(), _own_session()
    session.register_component("data_loader", own.get_component("data_loader"))
    session.register_component("credential_provider", _Provider(own.get_credentials()))
    return session


class _Provider:
    """As botocore asks for credentials."""

    def __init__(self, own: Credentials) -> None:
        self._own = own

    def load_credentials(self) -> ActingCredentials:
        return ActingCredentials(self._own)


OUTAGES = (BotoCoreError, ClientError, HTTPException, OSError)
"""What calls to AWS raise, those of our own PUTs too, when it refuses them or cannot be reached."""

_PASSING_CODES = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


def will_pass(error: Exception) -> bool:
    """Whether the same call may succeed a little later: throttled, hung up, out of reach, broken on
    the other side."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response.get("Error", {}).get("Code") in _PASSING_CODES
    return isinstance(error, (HTTPClientError, Unreachable, ConnectionError, TimeoutError))


@contextmanager
def unavailable() -> Iterator[list[str]]:
    """For work that may fail with AWS and do no harm: the error's type, where there was one."""
    failed: list[str] = []
    try:
        yield failed
    except (BotoCoreError, ClientError) as error:
        failed.append(type(error).__name__)
