"""Domains nobody owns: public suffixes, and providers that give mailboxes to anybody."""

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_FREE_MAIL = """
aim.com alice.de aol.com aol.de arcor.de att.net bigpond.com bluewin.ch btinternet.com
chello.at comcast.net email.de fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com
gmx.de gmx.net googlemail.com hey.com hotmail.at hotmail.co.uk hotmail.com hotmail.de hotmail.fr
hushmail.com icloud.com kabelmail.de laposte.net libero.it live.at live.com live.de mac.com
magenta.de mail.com mail.de mail.ru mailbox.org me.com msn.com naver.com netcologne.de
o2online.de
orange.fr outlook.at outlook.com outlook.de pm.me posteo.de proton.me protonmail.com qq.com
rocketmail.com sfr.fr sky.com t-online.de tuta.com tutanota.com unitybox.de verizon.net
virgilio.it virginmedia.com vodafone.de wanadoo.fr web.de wp.pl yahoo.co.uk yahoo.com yahoo.de
yahoo.fr yandex.com yandex.ru ymail.com zoho.com
"""
FREE_MAIL = frozenset(_FREE_MAIL.split())


def is_free_mail(domain: str) -> bool:
    """`domain` normalised: anybody may have a mailbox there, so it says nothing about a company."""
    return domain in FREE_MAIL


def is_public_suffix(domain: str) -> bool:
    """`domain` normalised, as `de`, `co.uk`: others register below it (ICANN section)."""
    return bool(_suffixes().is_public(domain))


@functools.cache
def _suffixes() -> "PublicSuffixList":
    """Read on first use: it costs 30 ms, and only writes of entries and policies need it."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415

    return PublicSuffixList(only_icann=True)
