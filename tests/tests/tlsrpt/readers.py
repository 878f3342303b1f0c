"""Has parsedmarc read the report on standard input, and prints what it found.

parsedmarc also fetches reports from mail services, and imports the libraries of those services at its start. They are not
here: names of them are answered with empty stand-ins. What reads reports is its own."""

import importlib.abc
import importlib.machinery
import json
import os
import sys
import tempfile
from unittest.mock import MagicMock


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


sys.meta_path.append(Absent())

import parsedmarc  # noqa: E402

with tempfile.NamedTemporaryFile(delete=False) as file:
    file.write(sys.stdin.buffer.read())
try:
    found = parsedmarc.parse_report_file(file.name, offline=True)
finally:
    os.unlink(file.name)
assert found["report_type"] == "smtp_tls", found["report_type"]
print(json.dumps(found["report"]))
