#!/bin/sh
# Runs the server in the foreground on $PORT: one worker, the memory engine, nothing on disk, no line
# in the log for each connection.
here=$(cd "$(dirname "$0")/.." && pwd)
exec "${FANFARE_BIN:-$here/build/release/fanfare}" serve --listen "127.0.0.1:${PORT:-9001}" \
    --workers 1 --engine memory --log-level error "$@"
