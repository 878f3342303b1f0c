"""Validates the report on standard input by the schema in the last argument, and by the rules of I-JSON (RFC 7493)."""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker

text = sys.stdin.buffer.read().decode("utf-8", errors="strict")


def unique(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError("a name twice: %s" % names)
    return dict(pairs)


report = json.loads(text, object_pairs_hook=unique)
schema = json.loads(sys.argv[-1])
Draft202012Validator.check_schema(schema)
errors = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(report)
wrong = ["%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:200]) for error in errors]
if wrong:
    sys.exit("\n".join(wrong))
