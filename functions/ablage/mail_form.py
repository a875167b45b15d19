"""In which form a mail comes: shown for what it is, never decrypted or unpacked. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablage.mime_fields import MimeField

FORMS = (
    "plain", "smime_signed", "smime_encrypted", "pgp_signed", "pgp_encrypted", "delivery_report",
    "read_receipt", "tnef",
)  # fmt: skip
HEAD_BYTES = 64
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SMIME_SIGNATURE = ("application/pkcs7-signature", "application/x-pkcs7-signature")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
_TNEF_MAGIC = b"\x78\x9f\x3e\x22"
_SIGNED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"  # RFC 5652 5: id-signedData, DER
_ARMOUR = {
    "-----BEGIN PGP MESSAGE-----": "pgp_encrypted",
    "-----BEGIN PGP SIGNED MESSAGE-----": "pgp_signed",
}
_BY_TYPE = {
    "application/pgp-encrypted": "pgp_encrypted",
    "application/pgp-signature": "pgp_signed",
    "message/delivery-status": "delivery_report",
    "message/global-delivery-status": "delivery_report",
    "message/disposition-notification": "read_receipt",
    **dict.fromkeys(_SMIME_SIGNATURE, "smime_signed"),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part by its type, name and first HEAD_BYTES, decoded."""

    content_type: MimeField
    name: str
    head: bytes


def mail_form(leaves: Sequence[Leaf], text: str) -> str:
    """One of FORMS: encryption before signatures before the rest, `plain` if nothing holds."""
    found = {form for leaf in leaves if (form := _form(leaf))}
    start = text[:200].lstrip()
    found |= {form for armour, form in _ARMOUR.items() if start.startswith(armour)}
    order = ("smime_encrypted", "pgp_encrypted", *FORMS[1:])
    return next((form for form in order if form in found), "plain")


def _form(leaf: Leaf) -> str:
    kind, name = leaf.content_type.value, leaf.name.lower()
    if kind in _SMIME or (kind == "application/octet-stream" and name == "smime.p7m"):
        return _smime(leaf)
    if kind in _TNEF or name == "winmail.dat":
        return "tnef" if leaf.head.startswith(_TNEF_MAGIC) else ""
    return _BY_TYPE.get(kind, "")


def _smime(leaf: Leaf) -> str:
    said = leaf.content_type.parameters.get("smime-type", "").lower()
    if said == "signed-data" or (not said and _SIGNED_DATA in leaf.head):
        return "smime_signed"
    return "" if said in ("certs-only", "compressed-data") else "smime_encrypted"
