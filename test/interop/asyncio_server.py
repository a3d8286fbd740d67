"""A line server on asyncio's streams: answers what each read gives, until the client ends.

Usage: asyncio_server.py [HOST [PORT]]. Prints where it listens, and what becomes of each client.
"""

import asyncio
import sys


async def handle_client(reader, writer):
    peer = "%s:%d" % writer.get_extra_info("peername")[:2]
    print(f"connected: {peer}", flush=True)
    try:
        while data := await reader.read(1024):
            message = data.decode("utf-8").strip()
            print(f"received: {message}", flush=True)
            writer.write(f"Server received: {message}\n".encode("utf-8"))
            await writer.drain()
        print("ended", flush=True)
    except (ConnectionError, UnicodeDecodeError) as error:
        print(f"failed: {error!r}", flush=True)
    finally:
        writer.close()
        await writer.wait_closed()
        print("closed", flush=True)


async def main(host, port):
    server = await asyncio.start_server(handle_client, host, port)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"listening on {host}:{port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    asyncio.run(main(host, port))
