"""A peer that does with its socket what node:net cannot: `hostile-peer.py WAY PORT`, on 127.0.0.1."""
import socket
import struct
import sys
import threading

way, port = sys.argv[1], int(sys.argv[2])
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def connect(receive_buffer=None):
    peer = socket.socket()
    peer.settimeout(30)
    if receive_buffer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.connect(("127.0.0.1", port))
    return peer


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    peer.close()


def urgent():
    """Urgent bytes among the others, which are lines; prints what comes back."""
    peer = connect()
    peer.sendall(b"he")
    peer.send(b"!", socket.MSG_OOB)
    peer.sendall(b"llo\n")
    print(peer.recv(100))
    peer.send(b"!", socket.MSG_OOB)
    peer.sendall(b"wor")
    peer.send(b"!", socket.MSG_OOB)
    peer.sendall(b"ld\n")
    print(peer.recv(100))
    peer.send(b"!", socket.MSG_OOB)
    peer.shutdown(socket.SHUT_WR)
    print(peer.recv(100))


def end_and_reset():
    """For each line of stdin: connects, sends it (a | is a line feed), ends and resets in one go."""
    for line in sys.stdin:
        peer = connect()
        data = line.rstrip("\n").replace("|", "\n").encode()
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        reset(peer)
        print("gone", flush=True)


def storm():
    """Connects, sends a line and resets, over and over, until nobody listens any more."""
    while True:
        try:
            peer = connect()
            peer.sendall(b"x\n")
            reset(peer)
        except ConnectionRefusedError:
            break
        except OSError:
            pass
    print("refused")


def narrow():
    """The smallest window there is, and lines that come back through it; prints whether they are the same."""
    peer = connect(1)
    sent = b"".join(b"line %d\n" % n for n in range(20000))

    def send():
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)

    threading.Thread(target=send).start()
    received = bytearray()
    while block := peer.recv(700):
        received += block
    print(received == sent)


{"urgent": urgent, "end-and-reset": end_and_reset, "storm": storm, "narrow": narrow}[way]()
