"""Verifies the DKIM signature of the message on standard input; the last arguments are the name of the key's record and the
record itself. Says what it covers."""

import sys

import dkim

name, record = sys.argv[-2:]
message = sys.stdin.buffer.read()


def look_up(asked, timeout=5):
    return record.encode() if asked.decode().rstrip(".") == name else None


verifier = dkim.DKIM(message, tlsrpt="strict")
if not verifier.verify(dnsfunc=look_up):
    sys.exit("the signature does not verify")
print(" ".join(name.decode().lower() for name in verifier.signature_fields[b"h"].split(b":")))
