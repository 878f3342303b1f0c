"""Verifies the DKIM signature of the message on standard input; the last arguments are the name of the key's record and the
record itself. Says what it covers."""

import sys

import dkim

name, record = sys.argv[-2:]
message = sys.stdin.buffer.read()


def look_up(asked, timeout=5):
    return record.encode() if asked.decode().rstrip(".") == name else None


# As ordinary mail, and as a report; and by who wants a key for reports only.
for mode in (False, True, "strict"):
    if mode == "strict":
        record += "; s=tlsrpt"
    verifier = dkim.DKIM(message, tlsrpt=mode)
    if not verifier.verify(dnsfunc=look_up):
        sys.exit("the signature does not verify (%s)" % mode)
print(" ".join(name.decode().lower() for name in verifier.signature_fields[b"h"].split(b":")))
