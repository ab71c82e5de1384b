"""A program's output, as it comes."""
from __future__ import annotations

import codecs
from typing import Optional, Union

from .publisher import Publisher


class TerminalStream:
    """Publishes what is written to it as terminal_output. Takes bytes in pieces of any size, as a
    program writes them: a character that is cut in two waits for its second half.

        with fanfare.TerminalStream(p, "build_123", source="make") as terminal:
            while piece := os.read(process.stdout.fileno(), 65536):
                terminal.write(piece)
    """

    def __init__(self, publisher: Publisher, session_id: str, output_type: str = "stdout",
                 source: Optional[str] = None) -> None:
        self._publisher = publisher
        self._session_id = session_id
        self._output_type = output_type
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, piece: Union[bytes, str]) -> int:
        """Publishes a piece, in events of at most 256 Ki characters."""
        text = piece if isinstance(piece, str) else self._decoder.decode(piece)
        self._publish(text)
        return len(piece)

    def _publish(self, text: str) -> None:
        for at in range(0, len(text), 0x40000):
            self._publisher.terminal_output(self._session_id, text[at:at + 0x40000],
                                            self._output_type, self._source)

    def flush(self) -> None:
        """Does nothing: every write is published at once. Here for print(file=…)."""

    def close(self) -> None:
        """At the output's end: publishes U+FFFD for a character that never became whole."""
        self._publish(self._decoder.decode(b"", True))
        self._decoder.reset()

    def __enter__(self) -> "TerminalStream":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
