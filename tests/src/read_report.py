"""Reads a delivery status notification from standard input with Python's own mail parser; prints it as JSON."""

import email
import email.policy
import json
import sys


def fields(group):
    return {name: str(value) for name, value in group.items()}


report = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
parts = list(report.iter_parts())
defects = [str(defect) for part in report.walk() for defect in part.defects]
letter, status, returned = parts
groups = status.get_payload()
original = returned.get_content()
if isinstance(original, email.message.Message):
    original = original.as_string()
json.dump(
    {
        "defects": defects,
        "type": report.get_content_type(),
        "report_type": report.get_param("report-type"),
        "from": str(report["From"]),
        "to": str(report["To"]),
        "subject": str(report["Subject"]),
        "auto_submitted": str(report["Auto-Submitted"]),
        "parts": [part.get_content_type() for part in parts],
        "letter": letter.get_content(),
        "message": fields(groups[0]),
        "recipients": [fields(group) for group in groups[1:]],
        "returned": original,
    },
    sys.stdout,
)
