"""A throw-away certificate authority: TLS stays verified on this machine too."""

import ssl
from pathlib import Path

import trustme

HOST = "localhost"


class Certificates:
    """`ca_file` is what clients trust, `chain_file` and `key_file` what servers show."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        server = authority.issue_cert(HOST)
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        self.chain_file = folder / "server.pem"
        self.key_file = folder / "server.key"
        authority.cert_pem.write_to_path(str(self.ca_file))
        server.private_key_pem.write_to_path(str(self.key_file))
        self.chain_file.write_bytes(b"".join(pem.bytes() for pem in server.cert_chain_pems))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file, self.key_file)
        return context
