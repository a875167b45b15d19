"""What the environment tells a function. Read once, on first use, never at import."""

import functools
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

_NUMBER = re.compile(r"[0-9]{1,9}")


class BadSettings(Exception):
    """This function was set up wrong: names of variables, never their values."""


@dataclass(frozen=True)
class Settings:
    """Names of this stack's resources (environment variables of the template, upper case).

    `google_client_id` and `microsoft_client_id` are the stack's own OAuth clients, empty for none;
    their secrets are SSM parameters below `oauth_secrets_path`, never variables. `rate_*` are
    requests a minute of one tenant, by class of route (`api.allowances`); `quota_*` what a tenant
    may have.

    `data_role_arn`: of the API alone, see `ablage.store.tenant_role`.

    `mail_ca_file`, `mail_local_hosts` (`host:port,host:port`), `oauth_local_url` and
    `oauth_local_mail` (`host:port`) are set by `infra/local` only; the template never has them (a
    test).
    """

    table_name: str
    raw_bucket: str
    archive_bucket: str
    sync_queue_url: str = ""
    backfill_queue_url: str = ""
    match_queue_url: str = ""
    webhook_queue_url: str = ""
    secrets_key_id: str = ""
    event_bus_name: str = ""
    data_role_arn: str = ""
    stack_name: str = ""
    tenant_claim: str = "tenant"
    scope_prefix: str = ""
    google_client_id: str = ""
    microsoft_client_id: str = ""
    oauth_redirect_uris: str = ""
    oauth_secrets_path: str = ""
    rate_read: int = 1200
    rate_write: int = 600
    rate_heavy: int = 60
    quota_accounts: int = 500
    quota_blocklist: int = 10_000
    quota_webhooks: int = 10
    mail_ca_file: str = ""
    mail_local_hosts: str = ""
    oauth_local_url: str = ""
    oauth_local_mail: str = ""

    @property
    def local_hosts(self) -> frozenset[str]:
        """`mail_local_hosts`, one by one; webhooks go by them too."""
        hosts = (host.strip() for host in self.mail_local_hosts.split(","))
        return frozenset(host for host in hosts if host)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises BadSettings, for all that are missing or no number."""
        bad: list[str] = []
        values: dict[str, Any] = {}
        for field in fields(cls):
            name, is_number = field.name.upper(), isinstance(field.default, int)
            text = environment.get(name)
            if text is None and field.default is MISSING:
                bad.append(f"{name} is missing")
            elif text is not None and is_number and not _NUMBER.fullmatch(text):
                bad.append(f"{name} is no number")
            elif text is not None:
                values[field.name] = int(text) if is_number else text
        if bad:
            raise BadSettings("; ".join(bad))
        return cls(**values)


@functools.cache
def settings() -> Settings:
    return Settings.from_environment(os.environ)
