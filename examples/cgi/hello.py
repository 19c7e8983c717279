#!/usr/bin/env python3
"""A CGI script (RFC 3875): greets the `name` in the query, or in the form on standard input."""
import html
import os
import sys
from urllib.parse import parse_qs

form = os.environ["QUERY_STRING"] or sys.stdin.read(int(os.environ["CONTENT_LENGTH"]))
names = parse_qs(form).get("name")
if names:
    page = f"<!doctype html><h1>Hello, {html.escape(names[0])}</h1>"
else:
    print("Status: 400 Bad Request")
    page = "<!doctype html><p>Add ?name=Ada to the address."
print("Content-Type: text/html; charset=utf-8")
print()
print(page)
