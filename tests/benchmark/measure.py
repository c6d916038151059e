"""Runs one command and says what it took: `python3 -I -S measure.py STDOUT STDERR COMMAND [ARGUMENT...]`.

A process of its own because Linux counts a parent's memory into the peak of a child that it starts: this one is small,
so that its children begin near nothing. Of a pipeline, CPU time is that of all its processes, memory that of the
largest.
"""

import json
import os
import sys
import time


def main(out, err, *command):
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            for path, number in ((out, 1), (err, 2)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    _, status, used = os.wait4(child, 0)
    print(json.dumps({
        "exit": os.waitstatus_to_exitcode(status),
        "wall": time.monotonic() - begin,
        "cpu": used.ru_utime + used.ru_stime,
        # Linux counts in KiB, macOS in bytes.
        "peak": used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    }))


main(*sys.argv[1:])
