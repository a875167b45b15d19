"""A private Dovecot of this user, on a free port, over TLS: the server whose quirks count.

Dovecot 2.3 turns bare LF into CRLF as it stores; it has SPECIAL-USE, LIST-STATUS, MOVE, CONDSTORE.
"""

import contextlib
import grp
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from infra.local.certificates import Certificates
from infra.local.mail_server import Mailboxes

START_SECONDS = 60
_MAIL_USER = "nobody"  # owns the mail where we are root: Dovecot serves no mail as root
_PATHS = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"

# With its guards against guessing (the delay, the penalty kept by anvil) every failed login after
# the first would be held back up to 18 seconds.
_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificates.chain_file}
ssl_key = <{certificates.key_file}
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
first_valid_gid = 1
mail_location = {store}:{folder}/mail/%u
auth_mechanisms = plain login {tokens}
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = {folder}/users/%u
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf.ext
}}
userdb {{
  driver = static
  args = uid={mail} gid={mail_group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
}}
namespace public {{
  type = public
  prefix = Public{separator}
  separator = {separator}
  location = sdbox:{folder}/public
  subscriptions = no
  list = children
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap {{
  process_limit = 64
}}
"""

_OAUTH = """
introspection_mode = post
introspection_url = {introspection_url}
tokeninfo_url =
username_attribute = username
active_attribute = active
active_value = true
"""
_NOBODY = "http://127.0.0.1:9/"  # no token is good


def executable() -> str | None:
    """Dovecot's path; None where it is not installed."""
    return shutil.which("dovecot", path=_PATHS)


@dataclass(frozen=True)
class _Owners:
    internal: str
    internal_group: str
    login: str
    mail: str
    mail_group: str


def _owners() -> _Owners:
    if os.geteuid() == 0:
        group = grp.getgrgid(pwd.getpwnam(_MAIL_USER).pw_gid).gr_name
        return _Owners("dovecot", "dovecot", "dovenull", _MAIL_USER, group)
    me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    return _Owners(me, group, me, me, group)


class Dovecot(Mailboxes):
    """Up when constructed; `stop` ends it and removes its folder. Access tokens are good that the
    identity provider at `introspection_url` says are, by the mechanisms `tokens`. `store` is the
    mailbox format; what a user has lies in `mail_folder`, under `parent`. A user's own folders are
    below `prefix`, which ends in the separator; all users share those below Public."""

    def __init__(
        self,
        certificates: Certificates,
        introspection_url: str = _NOBODY,
        tokens: str = "xoauth2 oauthbearer",
        store: str = "sdbox",
        parent: Path | None = None,
        *,
        prefix: str = "",
    ) -> None:
        super().__init__(certificates.ca_file)
        program = executable()
        if program is None:
            raise FileNotFoundError("Dovecot is not installed (Debian: dovecot-imapd)")
        self._folder = Path(tempfile.mkdtemp(prefix="ablage-dovecot-", dir=parent))
        self.port = _free_port()
        self._prepare(
            _owners(),
            certificates,
            tokens=tokens,
            store=store,
            prefix=prefix,
            separator=prefix[-1:] or "/",
        )
        oauth = _OAUTH.format(introspection_url=introspection_url)
        (self._folder / "oauth2.conf.ext").write_text(oauth)
        self._process = subprocess.Popen(  # noqa: S603  our own arguments
            [program, "-F", "-c", str(self._folder / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_up()

    def stop(self) -> None:
        # Our own process group, at once: asked politely, the master waits up to six seconds.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self, owners: _Owners, certificates: Certificates, **names: str) -> None:
        self._folder.chmod(0o755)  # the mail user walks through it
        for name in ("run", "state", "mail", "public", "users"):
            (self._folder / name).mkdir()
        for name in ("mail", "public") if os.geteuid() == 0 else ():
            shutil.chown(self._folder / name, owners.mail, owners.mail_group)
        (self._folder / "dovecot.conf").write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                certificates=certificates,
                port=self.port,
                **names,
                **vars(owners),
            )
        )

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        log = self._folder / "dovecot.log"
        told = log.read_text() if log.exists() else ""
        self.stop()
        raise RuntimeError(f"Dovecot did not start: {told[-500:]}")

    def mail_folder(self, user: str) -> Path:
        return self._folder / "mail" / user

    def give(self, user: str) -> None:
        """To the mail user, what was put into its folder by hand."""
        if os.geteuid() == 0:
            owners = _owners()
            for path in (self.mail_folder(user), *self.mail_folder(user).rglob("*")):
                shutil.chown(path, owners.mail, owners.mail_group)

    def _make_user(self, user: str, password: str) -> None:
        # A file each: Dovecot looks at a changed one only once a second.
        (self._folder / "users" / user).write_text(f"{user}:{{PLAIN}}{password}::::::\n")


def _free_port() -> int:
    """Below those that the kernel gives to whoever asks for any: nobody takes it meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
