"""Sends one request to the Service `api` and prints the answer. `request.py METHOD PATH BODY`."""

import http.client
import json
import sys

method, path, body = sys.argv[1:]
connection = http.client.HTTPConnection("api", 8000, timeout=10)
try:
    connection.request(method, path, body or None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    content = json.loads(text) if answer.getheader("Content-Type") == "application/json" else text.decode()
    report = {"status": answer.status, "cache": answer.getheader("X-Cache"), "body": content}
except (OSError, http.client.HTTPException) as error:
    report = {"status": 0, "cache": None, "body": repr(error)}
print(json.dumps(report))
