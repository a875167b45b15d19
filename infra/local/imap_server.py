"""An IMAP server inside this process: pymap in a thread, over TLS.

pymap keeps what it is given, byte for byte. It has no SPECIAL-USE, LIST-STATUS or NAMESPACE, tells
MOVE and UIDPLUS only after login, begins UIDs at 101 and refuses an empty mail.
"""

import asyncio
import secrets
import threading
from argparse import Namespace
from typing import Any

from infra.local.certificates import Certificates
from infra.local.mail_server import Mailboxes
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

START_SECONDS = 60
FOLDERS = ("Sent", "Trash")  # beside INBOX, which pymap makes itself


class EmbeddedImap(Mailboxes):
    """Up when constructed; `stop` ends it."""

    def __init__(self, certificates: Certificates) -> None:
        super().__init__(certificates.ca_file)
        self._tls = certificates.server_context()
        self._ready = threading.Event()
        self._connections: set[asyncio.Task[None] | None] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError("the embedded IMAP server did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(START_SECONDS)

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        backend, config = await DictBackend.init(
            _arguments(), invalid_user_sleep=0.0, hash_context=Cleartext()
        )
        self._config, self._users = config, backend.login.users_dict
        answer = IMAPServer(backend.login, config)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            self._connections.add(task)  # asyncio itself may forget one that waits
            try:
                await answer(reader, writer, SocketInfo.get(writer, None, unique_id=b"local"))
            finally:
                self._connections.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        await self._end_connections()

    async def _end_connections(self) -> None:
        """Open ones are cancelled: their clients see the connection end."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _make_user(self, user: str, password: str) -> None:
        self._users[user] = UserMetadata(self._config, user, password=password)
        with self.connect(user) as wire:
            for folder in FOLDERS:
                wire.create_folder(folder)


def _arguments() -> Any:
    """pymap's command line; the user it insists on has no mail and a password nobody knows."""
    return Namespace(
        debug=False,
        host="127.0.0.1",
        port="0",
        cert=None,
        key=None,
        tls=False,
        tls_enabled=False,
        proxy_protocol=None,
        passlib_cfg=None,
        demo_data=False,
        demo_user="nobody",
        demo_password=secrets.token_hex(),
        insecure_login=True,
    )
