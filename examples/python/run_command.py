"""Runs a command, shows its output and publishes it, with threads instead of asyncio.

    python3 examples/python/run_command.py SESSION COMMAND [ARGUMENT...]
"""
import os
import subprocess
import sys

import fanfare


def main(session: str, command: "list[str]") -> int:
    with fanfare.Publisher(source=command[0]) as p:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout
        with fanfare.TerminalStream(p, session) as terminal:
            while piece := os.read(process.stdout.fileno(), 65536):
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
                terminal.write(piece)
        code = process.wait()
        p.publish(f"session:{session}", "command.finished", {"exit_code": code})
    return code


if len(sys.argv) < 3:
    sys.exit(__doc__)
sys.exit(main(sys.argv[1], sys.argv[2:]))
