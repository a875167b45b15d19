"""A hundred hostile mails in a real browser, without the frame and policy that would stop them,
too: no dialog, no request."""

import os
import random

import pytest
from tests.support.chromium import PATH, chromium
from tests.support.hostile_html import MARK, URL, VECTORS

from api.html_cleaner import clean

MISSING = "Chromium is not installed (Debian: chromium)"

# Each family in its share, and always the ones that run by themselves.
CHOSEN = [
    *(v for v in VECTORS if "<img src=x onerror" in v),
    *random.Random(5).sample([v for v in VECTORS if URL in v], 45),
    *random.Random(7).sample([v for v in VECTORS if MARK in v], 60),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if PATH is None:
        pytest.fail(MISSING) if os.environ.get("REQUIRE_CHROMIUM") else pytest.skip(MISSING)
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


def did(page, html):
    page.events.clear()
    page.show(html)
    return begun(page)


def begun(page):
    requests = [told["request"]["url"] for told in page.told("Network.requestWillBeSent")]
    outside = [url for url in requests if not url.startswith(("data:", "about:"))]
    return len(page.told("Page.javascriptDialogOpening")), outside


def test_a_mail_as_it_is_would_run_and_load(page):
    dialogs, requests = did(page, f'<img src="data:," onerror="{MARK}"><img src="{URL}">')

    while not (dialogs and URL in requests):  # a busy machine; pytest-timeout ends it
        page.pause()
        dialogs, requests = begun(page)

    assert dialogs == 1


def test_a_hundred_cleaned_mails_do_neither(page):
    assert len(CHOSEN) >= 100

    done = {html: did(page, clean(html, {}, remote=False).html) for html in CHOSEN}

    assert {html: found for html, found in done.items() if found != (0, [])} == {}
