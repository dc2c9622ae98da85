"""Reads a file while signals with a handler keep coming: no read fails, none is short, no page fault does.

usage: storm.py EXPECTED FILE TURNS READS; EXPECTED has the same bytes. stdout: [problem]
"""

import ctypes
import json
import mmap
import os
import random
import signal
import sys

expected = open(sys.argv[1], "rb").read()
path = sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
libc.pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
libc.pread.restype = ctypes.c_ssize_t
problems, signals = [], 0


def count(*_):
    global signals
    signals += 1


signal.signal(signal.SIGALRM, count)
signal.siginterrupt(signal.SIGALRM, True)  # as programs that wait for a signal have it
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
random.seed(4)
file = os.open(path, os.O_RDONLY)
mapped = mmap.mmap(file, 0, prot=mmap.PROT_READ)
buffer = ctypes.create_string_buffer(1 << 20)
for turn in range(int(sys.argv[3])):
    # Half of the turns read page by page, without read-ahead: each page is a request that can be interrupted.
    single = turn % 4 >= 2
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM if single else os.POSIX_FADV_NORMAL)
    mapped.madvise(mmap.MADV_RANDOM if single else mmap.MADV_NORMAL)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    for _ in range(int(sys.argv[4])):
        at, size = random.randrange(len(expected)), random.randrange(1, 16_384 if single else len(buffer))
        want = expected[at:at + size]
        if turn % 2:
            got = mapped[at:at + size]
        else:
            n = libc.pread(file, buffer, size, at)  # Python's own would try again after EINTR
            got = buffer.raw[:n] if n >= 0 else f"errno {ctypes.get_errno()}"
        if got != want:
            problems.append(f"turn {turn}, {size} bytes at {at}: {got if isinstance(got, str) else len(got)}")
signal.setitimer(signal.ITIMER_REAL, 0)
if signals < int(sys.argv[3]):  # the handler runs between two calls, once for all signals of a call
    problems.append(f"{signals} signals came")
json.dump(problems[:10], sys.stdout)
