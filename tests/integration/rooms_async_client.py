"""A stock asynchronous Socket.IO client in Python, whose handlers take exactly one argument.

rooms_async_client.py URL TRANSPORT[,TRANSPORT] ROOM TOKEN: prints one JSON object a line.
"""

import asyncio
import json
import sys

import socketio

url, transports, room, token = sys.argv[1:5]
client = socketio.AsyncClient(reconnection=False)


def say(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


@client.on("connection_established", namespace="/ws")
async def on_established(event):
    say("established", event=event)


@client.on("connect_error", namespace="/ws")
async def on_refused(data):
    say("refused", event=data)


@client.on("pong", namespace="/ws")
def on_pong(event):
    say("pong", event=event)


async def main():
    seen = asyncio.Event()
    marked = asyncio.Event()

    @client.on("made.up", namespace="/ws")
    async def on_made_up(event):
        say("event", event=event)
        seen.set()

    @client.on("marker", namespace="/ws")
    def on_marker(event):
        say("any", event=event)
        marked.set()

    try:
        await client.connect(url, transports=transports.split(","), namespaces=["/ws"],
                             auth={"token": token}, wait_timeout=5)
    except socketio.exceptions.ConnectionError:
        return 3
    say("answer", answer=await client.call("subscribe", {"room": room}, namespace="/ws"))
    await asyncio.wait_for(seen.wait(), 10)
    await asyncio.wait_for(marked.wait(), 10)
    await client.call("ping", {}, namespace="/ws")
    say("transport", name=client.transport())
    await client.disconnect()
    return 0


sys.exit(asyncio.run(main()))
