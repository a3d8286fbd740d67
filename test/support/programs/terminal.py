"""Runs a command on a terminal of its own: what is typed comes on stdin, what the terminal shows goes to stdout.

At the end one JSON object on stderr tells the exit status and whether the terminal is set as it was before.
"""
import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios

rows, columns, *command = sys.argv[1:]
master, slave = os.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
before = termios.tcgetattr(slave)
alive, held = os.pipe()

child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(slave, stream)
    # It stays open for as long as the command runs.
    os.set_inheritable(held, True)
    os.execvp(command[0], command)

os.close(held)
# A signal for this program is meant for the command.
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, lambda number, _frame: os.kill(child, number))

keyboard = sys.stdin.fileno()
os.set_blocking(master, False)
typed = b""
sources = [master, alive, keyboard]
while alive in sources:
    ready, writable, _ = select.select(sources, [master] if typed else [], [])
    if master in ready:
        os.write(1, os.read(master, 65536))
    elif writable:
        # A terminal takes some kilobytes at a time.
        typed = typed[os.write(master, typed) :]
    elif keyboard in ready and not typed:
        typed = os.read(keyboard, 65536)
        if not typed:
            sources.remove(keyboard)
    elif alive in ready:
        sources.remove(alive)

_, status = os.waitpid(child, 0)
after = termios.tcgetattr(slave)
code = os.waitstatus_to_exitcode(status)
json.dump({"code": code, "isRestored": before == after}, sys.stderr)
