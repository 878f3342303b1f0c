"""Compares letters with their converted forms, as Python's own mail parser reads both.

Reads a JSON array of [before, after] in base64 from standard input; prints a JSON array with what differs, or null, for each.
"""

import base64
import email
import json
import sys

# What a conversion may change.
CHANGED = {"content-transfer-encoding", "mime-version"}


def read(octets):
    parts = []
    for part in email.message_from_bytes(octets).walk():
        headers = [(name.lower(), str(value)) for name, value in part.raw_items()]
        headers = [field for field in headers if field[0] not in CHANGED]
        body = None if part.is_multipart() else part.get_payload(decode=True)
        parts.append((part.get_content_type(), part.get_filename(), headers, body))
    return parts


def difference(before, after):
    before, after = read(before), read(after)
    if len(before) != len(after):
        return f"{len(before)} parts became {len(after)}"
    for number, (old, new) in enumerate(zip(before, after)):
        headers = list(new[2])
        added = ("content-type", "text/plain; charset=unknown-8bit")
        if added not in old[2] and added in headers:
            headers.remove(added)
        new = (new[0], new[1], headers, new[3])
        for what, one, other in zip(("type", "file name", "headers", "body"), old, new):
            if one != other:
                return f"part {number}: {what}: {one!r} became {other!r}"
    return None


pairs = json.load(sys.stdin)
json.dump([difference(*map(base64.b64decode, pair)) for pair in pairs], sys.stdout)
