"""Nothing of a mail's HTML runs or loads by itself, however it is written (T26)."""

import random
import re
from html.parser import HTMLParser

import pytest
from tests.support.corpus import corpus_files, needs_corpus, read_corpus
from tests.support.hostile_html import VECTORS

from ablage.mail import read_mail
from api.html_cleaner import ATTRIBUTES, STYLES, TAGS, clean

PICTURE = "data:image/png;base64,iVBORw0KGgo="
ADDED = {"a": {"target", "rel"}, "img": {"loading", "referrerpolicy"}}


class Reader(HTMLParser):
    """Everything in a page that is not on the list."""

    def __init__(self):
        super().__init__()
        self.wrong = []

    def handle_starttag(self, tag, attrs):
        allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()) | ADDED.get(tag, set())
        if tag not in TAGS:
            self.wrong.append(tag)
        for name, value in attrs:
            if name not in allowed or not self.is_harmless(name, value or ""):
                self.wrong.append((tag, name, value))

    def is_harmless(self, name, value):
        if name == "href":
            return re.match(r"https?://|mailto:", value, re.IGNORECASE)
        if name == "src":
            return value.startswith("data:image/")
        if name == "style":
            names = [part.partition(":")[0].strip() for part in value.split(";") if part]
            return STYLES.issuperset(names) and not re.search(r"url|expression|[@\\]", value)
        return True

    def handle_comment(self, data):
        self.wrong.append(("comment", data))

    def handle_decl(self, decl):
        self.wrong.append(("declaration", decl))

    def handle_pi(self, data):
        self.wrong.append(("instruction", data))


def wrong_in(html):
    reader = Reader()
    reader.feed(clean(html, {"a@b": PICTURE}, remote=False).html)
    reader.close()
    return reader.wrong


def test_there_are_at_least_three_hundred_vectors():
    assert len(set(VECTORS)) >= 319


def test_only_what_is_on_the_list_is_left_of_any_vector():
    assert {vector: found for vector in VECTORS if (found := wrong_in(vector))} == {}


@pytest.mark.parametrize("seed", range(10))
def test_no_mutation_of_them_gets_through(seed):
    chance = random.Random(seed)

    def mutated():
        text = chance.choice(VECTORS) + chance.choice(VECTORS)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text))
            cut = text[at : at + chance.randint(0, 12)]
            piece = chance.choice((cut * 2, "", "<", ">", '"', "'", "&", "\x00", "/", "<p>", "-->"))
            text = text[:at] + piece + text[at + len(cut) :]
        return text

    tried = [mutated() for _ in range(1000)]

    assert {html: found for html in tried if (found := wrong_in(html))} == {}


def test_the_reader_would_see_what_gets_through():
    reader = Reader()

    reader.feed(
        '<svg><a href="javascript:1" style="position:fixed"><img src="http://x" onload=1><!--x-->'
    )

    assert len(reader.wrong) == 6


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('<a href="https://x.de/?a=1&amp;b=2">x</a>', 'href="https://x.de/?a=1&amp;b=2"'),
        ('<a href="HTTPS://X.de">x</a>', 'href="HTTPS://X.de"'),
        ('<a href="mailto:max@kunde.de">x</a>', 'href="mailto:max@kunde.de"'),
        ('<a href="https://x.de">x</a>', 'rel="noopener noreferrer nofollow"'),
        ('<img src="cid:a@b">', f'src="{PICTURE}"'),
        ('<img src="CID:a%40b">', f'src="{PICTURE}"'),
        (f'<img src="{PICTURE}">', f'src="{PICTURE}"'),
        ('<td bgcolor="#eee" colspan=2>x', "x"),
        ('<p style="color:rgb(1, 2, 3);font-size:12pt">x', "color:rgb(1, 2, 3);font-size:12pt"),
        ('<p style="color:red;background:url(x)">x', 'style="color:red"'),
        ("<blockquote><p>x</blockquote>", "<blockquote><p>x</p></blockquote>"),
        ("<style>p{}</style><title>t</title>Text", "Text"),
        ("<o:p>Word</o:p><custom>y</custom>", "Wordy"),
    ],
)
def test_what_a_reader_needs_stays(written, shown):
    assert shown in clean(written, {"a@b": PICTURE}, remote=False).html


def test_images_elsewhere_are_counted_and_shown_only_when_asked_for():
    html = '<img src="https://x.de/pixel.gif"><img src="http://x.de/logo.png"><img src="cid:no">'

    blocked, shown = (clean(html, {}, remote=remote) for remote in (False, True))

    assert (blocked.remote_images, shown.remote_images) == (2, 2)
    assert "src=" not in blocked.html
    assert shown.html.count("src=") == 2
    assert shown.html.count('referrerpolicy="no-referrer"') == 3


@needs_corpus
def test_real_mails_keep_their_words_and_nothing_else():
    pages = {name: read_mail(read_corpus(name)).html for name in corpus_files()}
    written = {name: html for name, html in pages.items() if html.strip()}

    assert {name: found for name, html in written.items() if (found := wrong_in(html))} == {}
    assert len(written) > 50
