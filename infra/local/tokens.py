"""Access tokens for this machine: an issuer with a throw-away RSA key, and API Gateway's check."""

import time
from collections.abc import Iterable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://issuer.localhost"
AUDIENCE = "ablage"
SCOPES = ("read", "file", "manage", "mailboxes:all")
LIFETIME = 24 * 3600  # seconds


class Tokens:
    """Makes and verifies RS256 tokens; each instance has a key of its own."""

    def __init__(self, issuer: str = ISSUER, audience: str = AUDIENCE) -> None:
        self.issuer = issuer
        self.audience = audience
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def mint(
        self,
        tenant: str | None,
        scopes: Iterable[str] = SCOPES,
        *,
        subject: str = "local",
        lifetime: int = LIFETIME,
        tenant_claim: str = "tenant",
        **claims: Any,
    ) -> str:
        """A token of `tenant`; claims that are None are left out; a negative lifetime is over."""
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + lifetime,
            "scope": " ".join(scopes),
        }
        every = payload | {tenant_claim: tenant} | claims
        present = {name: value for name, value in every.items() if value is not None}
        return jwt.encode(present, self._key, algorithm="RS256")

    def verify(self, token: str, audiences: Iterable[str]) -> dict[str, Any] | None:
        """The claims; None where signature, issuer, audience or times are wrong.

        As API Gateway: RS256, `exp` required, `client_id` stands in for a missing `aud`.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                issuer=self.issuer,
                options={"require": ["exp"], "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            return None
        named = claims.get("aud", claims.get("client_id"))
        named = named if isinstance(named, list) else [named]
        return claims if set(named) & set(audiences) else None


def scopes_of(claims: dict[str, Any]) -> set[str]:
    """API Gateway reads `scope` or `scp`, a text with blanks or a list."""
    scopes = claims.get("scope") or claims.get("scp") or ""
    return set(scopes.split() if isinstance(scopes, str) else scopes)
