"""A line client on asyncio's streams: sends each message, and prints the reply before it sends the next.

Usage: asyncio_client.py HOST PORT [MESSAGE ...]. Ends with status 1 when a reply is missing.
"""

import asyncio
import sys


async def main(host, port, messages):
    reader, writer = await asyncio.open_connection(host, port)
    for message in messages:
        writer.write(f"{message}\n".encode("utf-8"))
        await writer.drain()
        print(f"sent: {message}", flush=True)
        reply = await reader.readline()
        if not reply.endswith(b"\n"):
            sys.exit(f"no whole reply to {message}, but {reply!r}")
        print(f"received: {reply.decode('utf-8').strip()}", flush=True)
    writer.close()
    await writer.wait_closed()
    print("closed", flush=True)


if __name__ == "__main__":
    words = sys.argv[3:] or ["Hello", "World", "AsyncIO", "TCP"]
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), words))
