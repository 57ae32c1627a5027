"""HTTP/1.1 with a bound on what comes before a body: uvicorn's parser in C has none of its own.

Owns:    that bound. Leaves parsing to httptools, bodies to the doors (each reads up to its own limit).
Rules:   a request line and header fields that have not ended after `MAX_HEAD_BYTES` end the connection with 431
Spec:    RFC 9110 cl. 5.4 (field limits); RFC 6585 cl. 5 (431)
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
_REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        """Take bytes; refuse a head that does not end."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head ended; what follows is a body, or the next request."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next head begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()
