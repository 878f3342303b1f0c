"""Checks one delivery status notification, given on standard input, against RFC 3464, RFC 6522 and RFC 6533 with the
parser of Python's own `email` package; prints what it found as JSON. Ends with an AssertionError where something is wrong.

The argument is the way on which it is to travel: "7bit" or "smtputf8".
"""

import email
import email.errors
import email.policy
import email.utils
import json
import re
import sys

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
RETURNED_TYPES = ("text/rfc822-headers", "message/global-headers", "message/rfc822", "message/global")
# RFC 3464 sections 2.2 and 2.3, in the order of the grammar: the name, and what its value has to look like.
DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
TYPED = re.compile(r"[A-Za-z0-9-]+; ?\S.*", re.DOTALL)
MESSAGE_FIELDS = {
    "Original-Envelope-Id": re.compile(r"\S.*"),
    "Reporting-MTA": re.compile(r"dns; \S+"),
    "Received-From-MTA": TYPED,
    "Arrival-Date": DATE,
}
RECIPIENT_FIELDS = {
    "Original-Recipient": TYPED,
    "Final-Recipient": re.compile(r"(rfc822|utf-8); \S.*"),
    "Action": re.compile(r"failed|delayed|relayed"),
    "Status": re.compile(r"[245](\.(0|[1-9]\d{0,2})){2}"),
    "Remote-MTA": re.compile(r"dns; \S+"),
    "Diagnostic-Code": re.compile(r"(smtp; \d{3}[ -].*|X-danerelay; .*)", re.DOTALL),
    "Last-Attempt-Date": DATE,
    "Will-Retry-Until": DATE,
}


def check_fields(group, known, required):
    """Each field once, in the grammar's order, extensions last (sections 2.2 and 2.3)."""
    names = [name for name, _ in group]
    assert len(set(names)) == len(names), f"a field twice: {names}"
    order = [list(known).index(name) if name in known else len(known) for name in names]
    assert order == sorted(order), f"not in the order of the grammar: {names}"
    for name in required:
        assert name in names, f"{name} is missing: {names}"
    for name, value in group:
        if name in known:
            assert known[name].fullmatch(value), f"{name}: {value!r}"
        else:
            assert name.startswith("X-Danerelay-"), f"an unknown field: {name}"
        if known.get(name) is DATE:
            assert email.utils.parsedate_to_datetime(value), value


def check_recipient(group):
    check_fields(group, RECIPIENT_FIELDS, ("Final-Recipient", "Action", "Status"))
    fields = dict(group)
    action, status = fields["Action"], fields["Status"]
    classes = {"failed": "45", "delayed": "4", "relayed": "2"}
    assert status[0] in classes[action], f"{action} with {status}"
    if action != "delayed":
        assert "Will-Retry-Until" not in fields, "section 2.3.9"
    if fields.get("Diagnostic-Code", "").startswith("smtp;"):
        assert "Remote-MTA" in fields, "RFC 3461 section 6.3(h)"


def unfolded(text):
    """The fields of a header or a group."""
    text = re.sub(r"\r\n(?=[ \t])", "", text)
    fields = [line.split(":", 1) for line in text.split("\r\n") if line]
    return [(name, value.strip(" ")) for name, value in fields]


def groups(octets):
    """RFC 3464 section 2.1: groups of fields with one blank line between them; UTF-8 in the newer type (RFC 6533)."""
    text = octets.decode("utf-8")
    assert text.endswith("\r\n") and not text.startswith("\r\n") and "\r\n\r\n\r\n" not in text, repr(text)
    return [unfolded(group) for group in text.split("\r\n\r\n")]


def check_way(octets, way):
    for line in octets.split(b"\r\n"):
        assert len(line) <= 998, "RFC 5322 section 2.1.1"
        assert not set(line) & set(b"\r\n\0"), line
    assert way == "smtputf8" or octets.isascii(), "eight bits on a 7-bit way"


def check_header(octets, way):
    """Read as text, for among octets Python expects no header beyond ASCII (RFC 6532 section 3)."""
    header = octets.split(b"\r\n\r\n")[0].decode("utf-8")
    report = email.message_from_string(header + "\n\n", policy=email.policy.SMTPUTF8)
    defects = [defect for value in report.values() for defect in value.defects]
    if way == "smtputf8":
        defects = [defect for defect in defects if not isinstance(defect, email.errors.NonASCIILocalPartDefect)]
    assert not defects, defects
    for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"):
        assert len(report.get_all(name, [])) == 1, name
    assert report["Auto-Submitted"] == "auto-replied", "RFC 3834 section 5.2"
    assert report.get_content_type() == "multipart/report", report.get_content_type()
    assert report.get_param("report-type") == "delivery-status"
    assert DATE.fullmatch(str(report["Date"])), report["Date"]
    return report


def known_to_python(octets):
    """Python knows two of the types only as messages of some kind, and parses what stands in them without decoding it. They
    are read as octets, then as what they are."""
    return re.sub(
        rb"(?m)^Content-Type: (message|text)/((global-)?delivery-status|global-headers|rfc822-headers)\r$",
        rb"X-Type: \1/\2\r\nContent-Type: application/octet-stream\r",
        octets,
    )


def type_of(part):
    return str(part["X-Type"] or part.get_content_type())


def check_encoding(part, way):
    """RFC 6533 sections 4.4 and 4.5, RFC 2046 section 5.2.1."""
    kind, encoding = type_of(part), part["Content-Transfer-Encoding"]
    identity = ("7bit",) if way == "7bit" else ("7bit", "8bit")
    assert encoding in (*identity, "quoted-printable"), f"{kind}: {encoding}"
    if encoding == "7bit" and not part.is_multipart():
        assert part.get_payload(decode=True).isascii(), f"{kind} is not 7-bit"
    if kind in ("message/rfc822", "message/global"):
        assert encoding in identity, f"{kind}: {encoding}"
    if kind == "message/delivery-status":
        assert encoding == "7bit", "RFC 3464 section 2.1"


def returned(part):
    kind = type_of(part)
    assert kind in RETURNED_TYPES, kind
    if kind in ("message/rfc822", "message/global"):
        octets = part.get_payload(0).as_bytes(policy=email.policy.SMTP.clone(utf8=True))
    else:
        octets = part.get_payload(decode=True)
        assert b"\r\n\r\n" not in octets, "more than a header"
    if kind in ("message/global", "message/global-headers"):
        octets.split(b"\r\n\r\n")[0].decode("utf-8")
    return {"type": kind, "encoding": part["Content-Transfer-Encoding"], "octets": list(octets)}


def main(way):
    octets = sys.stdin.buffer.read()
    check_way(octets, way)
    header = check_header(octets, way)
    report = email.message_from_bytes(known_to_python(octets), policy=email.policy.SMTP)
    defects = [defect for part in report.walk() for defect in part.defects]
    assert not defects, defects
    parts = list(report.iter_parts())
    for part in parts:
        check_encoding(part, way)
    letter, status, rest = parts[0], parts[1], parts[2:]
    assert letter.get_content_type() == "text/plain" and len(rest) <= 1
    assert type_of(status) in STATUS_TYPES, type_of(status)
    status_octets = status.get_payload(decode=True)
    assert type_of(status) != STATUS_TYPES[0] or status_octets.isascii(), "RFC 3464 section 2.1"
    message, *recipients = groups(status_octets)
    check_fields(message, MESSAGE_FIELDS, ("Reporting-MTA",))
    assert recipients, "RFC 3464 section 2.1"
    for recipient in recipients:
        check_recipient(recipient)
    found = {
        "from": [address.addr_spec for address in header["From"].addresses],
        "to": [address.addr_spec for address in header["To"].addresses],
        "subject": str(header["Subject"]),
        "references": str(header["References"] or ""),
        "letter": letter.get_content(),
        "status_type": type_of(status),
        "message": dict(message),
        "recipients": [dict(recipient) for recipient in recipients],
        "returned": [returned(part) for part in rest],
    }
    json.dump(found, sys.stdout)


main(sys.argv[1])
