"""What a process keeps, and what large mails leave behind: glibc raises its threshold for giving
memory back to the largest block it ever freed, so that parts of 5 MiB stay in its heaps, one heap
per thread."""

import ctypes
import gc

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # <malloc.h>
_MIB = 1024 * 1024


def give_memory_back() -> None:
    """Blocks of 4 MiB and more are given back at once, in this process, and what lies free at a
    heap's end beyond 16. With less for both the kernel clears a fifth of the pages anew. Nothing
    where the C library has no such setting."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(_MMAP_THRESHOLD, 4 * _MIB)
    mallopt(_TRIM_THRESHOLD, 16 * _MIB)
    mallopt(_ARENA_MAX, 2)


def keep_for_good() -> None:
    """What the start of a process leaves, mostly AWS's service models, is looked through by no
    later collection: a tenth of a worker's CPU."""
    gc.collect()
    gc.freeze()
