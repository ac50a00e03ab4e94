"""A machine whose clocks are moved: a library before the system's own adds to what they tell.

Nobody can set the clock of the machine that tests run on, or send it to sleep. What programs are
told by their C library can be moved, for a test's processes alone, and while they run.
"""

import struct
from pathlib import Path

from preloaded import compiled

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *moved;  /* seconds: of the wall, and of the monotonic clock */

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("MOVED_CLOCK");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *found = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (found != MAP_FAILED) moved = found;
}

static int64_t by(clockid_t id) {
    if (!moved) return 0;
    return id == CLOCK_REALTIME ? moved[0] : id == CLOCK_MONOTONIC ? moved[1] : 0;
}

int clock_gettime(clockid_t id, struct timespec *ts) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
    int code = next(id, ts);
    if (code == 0) ts->tv_sec += by(id);
    return code;
}

time_t time(time_t *t) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (t) *t = ts.tv_sec;
    return ts.tv_sec;
}

/* Whoever waits until a moment counts it by the clock as it is told. */

int clock_nanosleep(clockid_t id, int flags, const struct timespec *until, struct timespec *left) {
    static int (*next)(clockid_t, int, const struct timespec *, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_nanosleep");
    struct timespec real = *until;
    if (flags & TIMER_ABSTIME) real.tv_sec -= by(id);
    return next(id, flags, &real, left);
}

int sem_clockwait(sem_t *sem, clockid_t id, const struct timespec *until) {
    static int (*next)(sem_t *, clockid_t, const struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "sem_clockwait");
    struct timespec real = *until;
    real.tv_sec -= by(id);
    return next(sem, id, &real);
}
"""


class MovedClock:
    """The two clocks of every process that has `env`, as the test moves them."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "moved-clock"
        self._wall_s = self._monotonic_s = 0
        self._tell()
        self.env = {
            "LD_PRELOAD": str(compiled(folder, "moved_clock", _SOURCE)),
            "MOVED_CLOCK": str(self._file),
        }

    def set_wall(self, seconds: int) -> None:
        """Somebody sets the clock on the wall by so much, forwards or back."""
        self._wall_s += seconds
        self._tell()

    def sleep(self, seconds: int) -> None:
        """The machine slept for so long, with its monotonic clock going on (as under WSL2)."""
        self._wall_s += seconds
        self._monotonic_s += seconds
        self._tell()

    def _tell(self) -> None:
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("qq", self._wall_s, self._monotonic_s))
