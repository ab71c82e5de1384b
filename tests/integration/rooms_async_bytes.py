"""A stock asynchronous Socket.IO client in Python: connects, subscribes, waits for an event, and
says what it saw.

rooms_async_bytes.py URL TRANSPORT[,TRANSPORT] ROOM: prints one JSON object a line. Its handlers
take exactly one argument, as most programs' do.
"""

import asyncio
import json
import sys

import socketio

url, transports, room = sys.argv[1:4]


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def run():
    client = socketio.AsyncClient(reconnection=False)
    seen = asyncio.Event()

    @client.on("connection_established", namespace="/ws")
    async def on_established(event):
        say(what="established", event=event)

    @client.on("made.up", namespace="/ws")
    async def on_made_up(event):
        say(what="event", event=event)
        seen.set()

    await client.connect(url, transports=transports.split(","), namespaces=["/ws"], wait_timeout=5)
    wish = {"room": room, "bytes": b"\x01\x02"}
    say(what="answer", answer=await client.call("subscribe", wish, namespace="/ws"))
    await asyncio.wait_for(seen.wait(), 10)
    say(what="transport", name=client.transport())
    await client.disconnect()


asyncio.run(run())
