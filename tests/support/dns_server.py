"""A DNS server on loopback that knows what it is told."""

import socket
import threading
from types import TracebackType

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    """`records`: (name, type) -> texts as in a zone file. A name it does not know is NXDOMAIN;
    `silent` answers nothing."""

    def __init__(self, records: dict[tuple[str, str], list[str]], *, silent: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        self._records = records
        self._silent = silent
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "DnsServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(4096)
            if not data:
                return
            if not self._silent:
                self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), sender)

    def _answer(self, asked: dns.message.Message) -> dns.message.Message:
        question = asked.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        texts = self._records.get((name, kind))
        if texts:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
