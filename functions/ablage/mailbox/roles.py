"""What a folder is for: by attribute (RFC 6154; XLIST of old Gmail), by the names mail programs and
providers give it, by its place."""

import unicodedata
from collections.abc import Sequence

from ablage.mailbox.listing import Row, Spaces
from ablage.mailbox.names import decode_name

_SPECIAL_USE = {
    b"\\INBOX": "inbox",
    b"\\SENT": "sent",
    b"\\DRAFTS": "drafts",
    b"\\TRASH": "trash",
    b"\\JUNK": "junk",
    b"\\SPAM": "junk",
    b"\\ARCHIVE": "archive",
    b"\\ALL": "all",
    b"\\ALLMAIL": "all",
    b"\\FLAGGED": "flagged",
    b"\\STARRED": "flagged",
    b"\\IMPORTANT": "important",
}

# By language, as mail programs and providers create them [imap-sync section 3: Sent discovery].
_NAMES = {
    "sent": (
        *("sent", "sent items", "sent messages", "sent mail", "sent-mail", "sentmail"),
        *("gesendet", "gesendete", "gesendete elemente", "gesendete objekte", "gesendete mails"),
        *("gesendete nachrichten", "gesendete e-mails", "postausgang gesendet"),
        *("envoyés", "éléments envoyés", "messages envoyés", "objets envoyés", "courrier envoyé"),
        *("enviados", "elementos enviados", "mensajes enviados", "itens enviados", "enviadas"),
        *("enviats", "elements enviats", "correo enviado", "mensagens enviadas"),
        *("inviata", "inviati", "posta inviata", "elementi inviati", "messaggi inviati"),
        *("verzonden", "verzonden items", "verzonden berichten", "verstuurd"),
        *("skickat", "skickade objekt", "skickade", "sendt", "sendte elementer", "sendt post"),
        *("sendte element", "sendte", "lähetetyt", "lähetetyt viestit", "saadetud kirjad"),
        *(
            "wysłane",
            "elementy wysłane",
            "odeslané",
            "odeslaná pošta",
            "odoslané",
            "odoslaná pošta",
        ),
        *(
            "elküldött",
            "elküldött elemek",
            "trimise",
            "elemente trimise",
            "poslano",
            "poslane stavke",
        ),
        *("išsiųsta", "nosūtītie", "απεσταλμένα", "изпратени", "послати"),
        *("отправленные", "надіслані", "gönderilmiş", "gönderilmiş öğeler", "gönderilenler"),
        *("送信済み", "送信済みメール", "已发送", "已发送邮件", "寄件備份", "보낸편지함"),
    ),
    "drafts": (
        *("drafts", "draft", "entwurf", "entwürfe", "brouillons", "borradores", "bozze"),
        *("concepten", "rascunhos", "utkast", "kladder", "luonnokset", "wersje robocze", "szkice"),
        *("koncepty", "rozepsané", "piszkozatok", "ciorne", "taslaklar", "черновики", "чернетки"),
        *("下書き", "草稿", "草稿箱", "임시보관함"),
    ),
    "trash": (
        *("trash", "bin", "deleted", "deleted items", "deleted messages", "papierkorb", "gelöscht"),
        *("gelöschte", "gelöschte elemente", "gelöschte objekte", "gelöschte nachrichten"),
        *("corbeille", "éléments supprimés", "messages supprimés", "papelera"),
        *("elementos eliminados", "eliminados", "cestino", "posta eliminata", "elementi eliminati"),
        *("prullenbak", "verwijderde items", "lixeira", "itens excluídos", "itens eliminados"),
        *("papperskorgen", "borttaget", "papirkurv", "papirkurven", "slettede elementer"),
        *("slettet post", "roskakori", "poistetut", "kosz", "elementy usunięte", "koš", "kôš"),
        *("odstraněná pošta", "lomtár", "törölt elemek", "coș de gunoi", "çöp kutusu"),
        *(
            "silinmiş öğeler",
            "удаленные",
            "корзина",
            "кошик",
            "ゴミ箱",
            "ごみ箱",
            "已删除",
            "휴지통",
        ),
    ),
    "junk": (
        *("junk", "spam", "junk e-mail", "junk-e-mail", "junk email", "junk mail", "bulk mail"),
        *("bulk", "spamverdacht", "spam-verdacht", "unerwünscht", "unerwünschte werbung"),
        *("unerwünschte e-mails", "werbung und spam", "courrier indésirable", "indésirables"),
        *("pourriel", "correo no deseado", "correo basura", "posta indesiderata"),
        *("ongewenste e-mail", "ongewenst", "lixo eletrônico", "lixo eletrónico", "skräppost"),
        *("søppelpost", "uønsket e-post", "uønsket mail", "roskaposti", "wiadomości-śmieci"),
        *("nevyžádaná pošta", "levélszemét", "önemsiz e-posta", "спам", "нежелательная почта"),
        *("迷惑メール", "垃圾邮件", "스팸함"),
    ),
    "archive": ("archive", "archiv", "archives", "archivo", "archivio", "archief", "arkiv"),
}
# What employees keep for themselves, and what nobody else may read. Proposed as private.
_PRIVATE = (
    *("privat", "private", "personal", "persönlich", "privates", "persönliches", "betriebsrat"),
    *("personalrat", "schwerbehindertenvertretung", "works council", "vertraulich"),
    *("privé", "personnel", "personnels", "privado", "privada", "privato", "personale"),
    *("privata", "persoonlijk", "ondernemingsraad", "privatni", "soukromé", "prywatne", "личное"),
)


def fold(name: str) -> str:
    """For comparing names: case, accents and outer blanks do not count."""
    decomposed = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


_ROLE_BY_NAME = {fold(name): role for role, names in _NAMES.items() for name in names}
_PRIVATE_NAMES = frozenset(map(fold, _PRIVATE))


def role_of(row: Row, spaces: Spaces) -> str:
    """INBOX, else by attribute, else by name; a folder of somebody else has no role but private."""
    is_foreign = spaces.is_foreign(row.raw)
    path = path_of(row, spaces)
    if is_foreign:
        return _private(path)
    flagged = [role for flag, role in _SPECIAL_USE.items() if flag in row.flags]
    if row.raw == b"INBOX" or "inbox" in flagged:
        return "inbox"
    return next(iter(flagged), "") or _private(path) or _role_by_name(path)


def path_of(row: Row, spaces: Spaces) -> list[str]:
    """Names from the top of the user's own folders down."""
    own = spaces.without_prefix(row.raw)
    parts = own.split(row.delimiter) if row.delimiter else [own]
    return [decode_name(part) for part in parts]


def _private(path: Sequence[str]) -> str:
    """All below a private folder is private."""
    return "private" if any(fold(name) in _PRIVATE_NAMES for name in path) else ""


def _role_by_name(path: Sequence[str]) -> str:
    """At top level, or directly below INBOX or a `[Gmail]`-like root; `Kunden/Sent` is a folder
    like any other."""
    is_below_root = len(path) == 2 and (path[0].upper() == "INBOX" or path[0].startswith("["))
    return _ROLE_BY_NAME.get(fold(path[-1]), "") if len(path) == 1 or is_below_root else ""


def may_have_role(row: Row) -> bool:
    """Whether a long listing had better keep it: the role is settled once NAMESPACE is known."""
    last = row.raw.rpartition(row.delimiter)[2] if row.delimiter else row.raw
    named = fold(decode_name(last)) in _ROLE_BY_NAME
    return named or row.raw == b"INBOX" or bool(row.flags & _SPECIAL_USE.keys())
