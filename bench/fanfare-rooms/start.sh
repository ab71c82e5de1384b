#!/bin/sh
# Runs the server in the foreground on $PORT. The one client that publishes is no attacker.
exec "$(dirname "$0")/../start.sh" --limits-messages 10000000 --limits-burst 10000000
