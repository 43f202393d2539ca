"""Runs a command on a terminal of a given width and prints what it wrote, without colours.

usage: on_a_pty.py COLUMNS ROWS COMMAND [ARGUMENT]…
"""

import fcntl
import os
import pty
import re
import struct
import sys
import termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
written = b""
while True:
    try:
        read = os.read(terminal, 65536)
    except OSError:  # The other side is closed.
        break
    if not read:
        break
    written += read
_, status = os.waitpid(child, 0)
text = re.sub(rb"\x1b\[[0-9;]*m", b"", written).replace(b"\r\n", b"\n")
sys.stdout.buffer.write(text)
sys.exit(os.waitstatus_to_exitcode(status))
