"""A journal's line: a JSON object that ends with the CRC-32 of what stands before it."""

import json
from binascii import hexlify
from collections.abc import Mapping
from zlib import crc32


def encode_line(record: Mapping[str, object]) -> bytes:
    """One line of a journal, for those who write one by hand."""
    return sealed_line(json.dumps(record, separators=(",", ":"))[:-1])


def sealed_line(record: str) -> bytes:
    """The line of a record: a JSON object in ASCII without its closing brace."""
    body = record.encode("ascii")
    return b"".join((body, b',"crc":"', hexlify(crc32(body).to_bytes(4, "big")), b'"}\n'))
