#!/bin/sh
# Runs the server in the foreground on $PORT.
exec "$(dirname "$0")/../start.sh"
