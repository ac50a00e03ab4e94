"""What a process makes durable, and in which order: fsync and rename, written down as they happen.

A disk that loses its power keeps what was synced, and no test can pull the plug. So a small library
is put before the system's, which notes each of these calls and then makes it.
"""

import os
import subprocess
import sys
from pathlib import Path

from preloaded import compiled

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *verb, const char *what, const char *to) {
    const char *log = getenv("SYNC_LOG");
    char line[9000];
    int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", verb, what, to);
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd < 0) return;
    if (write(fd, line, (size_t)length) != length) abort();
    close(fd);
}

int fsync(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    int code = ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
    note("sync", path, "");
    return code;
}

int rename(const char *from, const char *to) {
    int code = ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
    note("rename", from, to);
    return code;
}
"""


def calls_of(folder: Path, program: str, *arguments: object) -> list[tuple[str, str, str]]:
    """Run `program`, Python text, and give its calls in order: `sync PATH` and `rename FROM TO`.

    What it prints comes between them as `said TEXT`. Skips where it cannot be compiled.
    """
    library, log = compiled(folder, "log", _SOURCE), folder / "sync.log"
    env = {**os.environ, "LD_PRELOAD": str(library), "SYNC_LOG": str(log)}
    say = 'import os\ndef say(t):\n    f = open(os.environ["SYNC_LOG"], "a")\n    '
    say += 'f.write(f"said\\t{t}\\t\\n")\n    f.close()\n'
    argv = [sys.executable, "-c", say + program, *map(str, arguments)]
    subprocess.run(argv, env=env, check=True)
    lines = log.read_text().splitlines()
    return [(verb, what, to) for verb, what, to in (line.split("\t") for line in lines)]
