"""What servers do wrong at a command, as Trouble for the scripted server. `answering(random)` draws
one that fits."""

from collections.abc import Callable
from random import Random

from tests.support.scripted_imap import Answer, Asked, Mail, Trouble, fetch

_NEVER = 4_000_000_000  # a UID nobody has
_NOTHING = b"* %d FETCH (UID %d FLAGS ())\r\n"


def drop_inside_a_literal(random: Random, _asked: Asked, answer: Answer) -> None:
    whole = b"".join(answer.parts)
    answer.parts = [whole[: random.randrange(len(whole) + 1)]]
    answer.hangs_up = True


def hang_up(_random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts, answer.hangs_up = [], True


def say_bye(random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = [*_some(random, answer), b"* BYE shutting down\r\n"]
    answer.hangs_up = True


def fall_silent(random: Random, _asked: Asked, answer: Answer) -> None:
    whole = b"".join(answer.parts)
    answer.parts = [whole[: random.randrange(len(whole) + 1)]]
    answer.end = None


def answer_no(random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = _some(random, answer)
    answer.end = b"NO Some messages could not be FETCHed"


def be_busy(random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = _some(random, answer)
    answer.end = b"NO [UNAVAILABLE] try later"


def throttle(_random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = []
    answer.end = b"BAD Request is throttled. Suggested Backoff Time: 2000 milliseconds"


def answer_bad(random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = _some(random, answer)
    answer.end = b"BAD Too long argument"


def bring_nothing(_random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = []


def bring_some(random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = _some(random, answer)


def bring_flags_alone(random: Random, asked: Asked, answer: Answer) -> None:
    uid = random.choice(asked.uids)
    answer.parts = [_NOTHING % (n, each) for n, each in enumerate(asked.uids, 1) if each == uid]


def bring_empty_literals(_random: Random, asked: Asked, answer: Answer) -> None:
    answer.parts = [b"* 1 FETCH (UID %d BODY[] {0}\r\n)\r\n" % uid for uid in asked.uids]


def uid_behind_the_body(_random: Random, asked: Asked, answer: Answer) -> None:
    assert asked.folder
    answer.parts = [fetch(asked.folder, uid, asked.is_body, uid_last=True) for uid in asked.uids]


def shuffle(random: Random, _asked: Asked, answer: Answer) -> None:
    random.shuffle(answer.parts)


def say_it_twice(random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = answer.parts * 2
    random.shuffle(answer.parts)


def blank_line_behind_the_literal(_random: Random, _asked: Asked, answer: Answer) -> None:
    answer.parts = [part[:-3] + b"\r\n)\r\n" for part in answer.parts]


def mention_others(random: Random, asked: Asked, answer: Answer) -> None:
    """Flags of the mails asked for, of others, and without a UID, as other clients change them."""
    foreign = [
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        *(_NOTHING % (number, uid) for number, uid in enumerate(asked.uids, 1)),
        _NOTHING % (99, _NEVER),
        b"* 7 EXISTS\r\n",
    ]
    for part in foreign:
        answer.parts.insert(random.randrange(len(answer.parts) + 1), part)


def bring_unasked_mail(random: Random, _asked: Asked, answer: Answer) -> None:
    uid = _NEVER + random.randrange(1000)
    part = b"* 99 FETCH (UID %d BODY[] {7}\r\nforeign)\r\n" % uid
    answer.parts.insert(random.randrange(len(answer.parts) + 1), part)


def expunge_what_is_asked(random: Random, asked: Asked, answer: Answer) -> None:
    """Before this command: the mail is gone, and its answer."""
    assert asked.folder
    gone = random.choice(asked.uids)
    asked.folder.mails.pop(gone)
    left = [fetch(asked.folder, uid, asked.is_body) for uid in asked.uids if uid != gone]
    answer.parts = [b"* 1 EXPUNGE\r\n", *left]


def expunge_something_after(random: Random, asked: Asked, _answer: Answer) -> None:
    """Behind this answer: what was listed is gone when it is asked for."""
    if asked.folder and asked.folder.mails:
        asked.folder.mails.pop(random.choice(list(asked.folder.mails)))


def deliver_meanwhile(random: Random, asked: Asked, _answer: Answer) -> None:
    if asked.folder:
        asked.folder.deliver(a_mail(random), random.choice((0, 3, 1_000_000)))


def begin_uids_anew_and_hang_up(random: Random, asked: Asked, answer: Answer) -> None:
    begin_uids_anew(random, asked, answer)
    hang_up(random, asked, answer)


def begin_uids_anew(random: Random, asked: Asked, _answer: Answer) -> None:
    """Higher or lower than before, never one there has been."""
    folder = asked.folder
    if folder:
        known = {uidvalidity for uidvalidity, _ in folder.ever} | {folder.uidvalidity}
        fresh = random.choice([n for n in range(1, 40) if n not in known])
        folder.begin_anew(fresh, random)


Kind = Callable[[Random, Asked, Answer], None]

ANYWHERE: tuple[Kind, ...] = (
    hang_up, say_bye, fall_silent, drop_inside_a_literal, deliver_meanwhile,
    begin_uids_anew_and_hang_up,
)  # fmt: skip
AT_BODIES: tuple[Kind, ...] = (
    *(drop_inside_a_literal, drop_inside_a_literal, say_bye, fall_silent),
    *(answer_no, be_busy, throttle, answer_bad, bring_nothing, bring_some, bring_flags_alone),
    *(bring_empty_literals, uid_behind_the_body, shuffle, say_it_twice),
    *(blank_line_behind_the_literal, mention_others, bring_unasked_mail),
    *(expunge_what_is_asked, deliver_meanwhile, begin_uids_anew_and_hang_up),
)
AT_LISTINGS: tuple[Kind, ...] = (
    *(drop_inside_a_literal, answer_no, be_busy, bring_nothing, bring_some, shuffle),
    *(say_it_twice, mention_others, expunge_what_is_asked, deliver_meanwhile),
)
AT_SEARCHES: tuple[Kind, ...] = (expunge_something_after, deliver_meanwhile, be_busy, hang_up)
AT_STATUS: tuple[Kind, ...] = (begin_uids_anew, deliver_meanwhile, expunge_something_after, be_busy)


def fitting(random: Random, asked: Asked) -> tuple[str, Trouble] | None:
    """A Trouble for this command, and its name."""
    if asked.name == b"LOGOUT" or (asked.name == b"UID FETCH" and not asked.uids):
        return None
    kinds = ANYWHERE
    if asked.name == b"UID FETCH":
        kinds = AT_BODIES if asked.is_body else AT_LISTINGS
    elif asked.name == b"UID SEARCH":
        kinds = AT_SEARCHES
    elif asked.name == b"STATUS":
        kinds = AT_STATUS
    kind = random.choice(kinds)
    return kind.__name__, lambda met, answer: kind(random, met, answer)


def _some(random: Random, answer: Answer) -> list[bytes]:
    return answer.parts[: random.randrange(len(answer.parts) + 1)]


def a_mail(random: Random) -> Mail:
    """Its size told right, or wrong: too small, too big, by far; or of one that is never handed
    out."""
    size = random.choice((20, 300, 3000, 40_000) if random.random() < 0.985 else (HUGE,))
    raw = b"Subject: %x\r\n\r\n%b\r\n" % (random.getrandbits(64), b"x" * size)
    lie = random.choice((1, 1, 1, 1, 0.01, 0.5, 3, 1000))
    told = min(max(int(len(raw) * lie), 1), 140_000_000)
    return Mail(raw, told, poisoned=random.random() < 0.02)


HUGE = 9_000_000  # above what one PUT takes
