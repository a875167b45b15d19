"""Work of one request done side by side: the only threads of the API.

Threads of their own know nothing of the tenant that is acted for (`ablage.store.tenant_role`), and
would be denied all data; these are told.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> list[Result]:
    """Results in the order of the items. Raises what the first that failed raised."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        begun = [pool.submit(copy_context().run, work, item) for item in items]
        return [each.result() for each in begun]
