"""Certificates that must not be trusted, each for one reason."""

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

# Some builds of Python take a connection that is cut for one that has ended.
SEES_CUTS = not ssl.create_default_context().options & ssl.OP_IGNORE_UNEXPECTED_EOF

HOST = "imap.kunde.example"


class Forger:
    """`ca_file` is what the client trusts; every context shows what it must refuse."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.ca_file = folder / "forger-ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def contexts(self) -> dict[str, ssl.SSLContext]:
        past = datetime.now(UTC) - timedelta(days=1)
        return {
            "self-signed": self._of(trustme.CA().issue_cert(HOST), whole_chain=False),
            "expired": self._of(self._authority.issue_cert(HOST, not_after=past)),
            "wrong name": self._of(self._authority.issue_cert("imap.other.example")),
            "wildcard depth": self._of(self._authority.issue_cert("*.example")),
            "TLS 1.1": self._old(),
            "unknown CA": self._of(trustme.CA().issue_cert(HOST)),
        }

    def good(self) -> ssl.SSLContext:
        return self._of(self._authority.issue_cert(HOST))

    def _old(self) -> ssl.SSLContext:
        context = self.good()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def _of(self, issued: trustme.LeafCert, *, whole_chain: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown = issued.cert_chain_pems if whole_chain else issued.cert_chain_pems[:1]
        with (
            issued.private_key_pem.tempfile() as key,
            trustme.Blob(b"".join(pem.bytes() for pem in shown)).tempfile() as chain,
        ):
            context.load_cert_chain(chain, key)
        return context
