# Opens a TCP and a Unix socket, then becomes the program with them as 3 and 4, as systemd would have it.
# usage: activator.py SOCKET_PATH PROGRAM ARGUMENTS…
import fcntl, os, socket, sys
tcp = socket.create_server(('127.0.0.1', 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in (tcp.fileno(), unix.fileno())]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='tcp:unix')
os.execv(sys.argv[2], sys.argv[2:])
