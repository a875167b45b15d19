"""When mail comes into a mailbox: how often it is worth a look, and when its silence is odd.

The memory is small and bounded: the hours of the week in which mail came, in how many weeks, and
the last three such hours. It changes at most once an hour, and only when mail comes.

    Mon 00 .. 08  09  10 .. 17 ..     hours   0 .. 6  8  8 .. 7 ..    of 8 weeks
    mail usually comes at 09: 8/8. Silent from Friday 17:00 to Monday 08:00 no usual hour passes;
    from Monday 09:00 to Tuesday 13:00 about twelve do, and that is odd.
"""

from dataclasses import dataclass, replace

HOUR, DAY, WEEK = 3600, 86_400, 604_800  # seconds
HOURS = 168  # of a week; the first is Monday 00:00 UTC
EPOCH_HOUR = 72  # 1970-01-01 was a Thursday
MEMORY = 8 * WEEK  # then every count is halved, so that an old habit fades
RECENT = 3

EVERY_MINUTE, USUAL, SELDOM, DORMANT = 1, 5, 15, 60  # minutes between looks
WATCHED = HOUR  # somebody just connected it, or asked for a sync
LIVE = 4 * HOUR  # mail in three hours within these
SELDOM_AFTER = 3 * DAY  # longer than a weekend
DORMANT_AFTER = 14 * DAY

LEARNED = 2 * WEEK  # of memory, before silence is judged
LEAST_HOURS = 5  # a week with mail; below, the mailbox is dormant anyway
LEAST_SILENCE = DAY
ODD_HOURS = 12  # in which mail usually comes, passed without any


@dataclass(frozen=True)
class Habit:
    """Times are epoch seconds, 0 is never. `hours`: of each hour of the week, in how many weeks
    since `since` mail came in it. `recent`: when mail was first met in the last three hours that
    had any, newest first. `awake`: when somebody last connected the mailbox or asked for a sync."""

    since: int = 0
    hours: bytes = bytes(HOURS)
    recent: tuple[int, ...] = ()
    awake: int = 0

    @property
    def last_mail(self) -> int:
        return self.recent[0] if self.recent else 0

    def noted(self, now: int) -> "Habit":
        """New mail is there; the second of an hour is no news."""
        if self.last_mail // HOUR == now // HOUR:
            return self
        aged = self._aged(now)
        hours = bytearray(aged.hours)
        hours[_hour_of_week(now)] += 1
        recent = (now, *self.recent)[:RECENT]
        return replace(aged, hours=bytes(hours), recent=recent)

    def woken(self, now: int) -> "Habit":
        """Somebody is waiting for this mailbox."""
        return replace(self, awake=now, since=self.since or now)

    def interval(self, now: int) -> int:
        """Minutes until the next look."""
        quiet = now - max(self.last_mail, self.awake)
        is_live = len(self.recent) == RECENT and now - self.recent[-1] < LIVE
        if is_live or now - self.awake < WATCHED:
            return EVERY_MINUTE
        if quiet < SELDOM_AFTER:
            return USUAL
        return SELDOM if quiet < DORMANT_AFTER else DORMANT

    def silent_since(self, now: int) -> int | None:
        """When mail stopped that should have come since; None where that is not odd."""
        last = self.last_mail
        known = last - self.since
        if now - last < LEAST_SILENCE or known < LEARNED:
            return None
        weeks = known / WEEK
        if sum(self.hours) / weeks < LEAST_HOURS:
            return None
        missed = sum(self.hours[_hour_of_week(at)] for at in _hours_between(last, now)) / weeks
        return last if missed >= ODD_HOURS else None

    def _aged(self, now: int) -> "Habit":
        since = self.since or now
        if now - since < MEMORY:
            return replace(self, since=since)
        halved = bytes((count + 1) // 2 for count in self.hours)
        return replace(self, since=now - (now - since) // 2, hours=halved)


def _hour_of_week(at: int) -> int:
    return (at // HOUR + EPOCH_HOUR) % HOURS


def _hours_between(last: int, now: int) -> range:
    """Whole hours after that of `last`, up to `now`; four weeks of them tell enough."""
    begin = (last // HOUR + 1) * HOUR
    return range(begin, min(now - HOUR + 1, begin + 4 * WEEK), HOUR)
