"""A stock Socket.IO client in Python: connects, subscribes, waits for an event, says what it saw.

rooms_client.py URL TRANSPORT[,TRANSPORT] ROOM [TOKEN]: prints one JSON object a line.
"""

import json
import sys
import threading

import socketio

url, transports, room = sys.argv[1:4]
token = sys.argv[4] if len(sys.argv) > 4 else None
client = socketio.Client(reconnection=False)
seen = threading.Event()


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")  # one write: several threads speak
    sys.stdout.flush()


@client.on("connection_established", namespace="/ws")
def on_established(*args):
    say(what="established", args=args)


@client.on("connect_error", namespace="/ws")
def on_refused(data):
    say(what="refused", data=data)


@client.on("made.up", namespace="/ws")
def on_made_up(*args):
    say(what="event", args=args)
    seen.set()


try:
    client.connect(url, transports=transports.split(","), namespaces=["/ws"], auth={"token": token},
                   wait_timeout=5)
except socketio.exceptions.ConnectionError:
    sys.exit(3)
say(what="answer", answer=client.call("subscribe", {"room": room}, namespace="/ws"))
seen.wait(10)
say(what="transport", name=client.transport())
client.disconnect()
