"""Asks the Service `api` again and again until standard input ends; prints what came of it.

`traffic.py PATH CLIENTS PAUSE_SECONDS`. Each request has a connection of its own: kube-proxy chooses the pod anew.
"""

import http.client
import json
import sys
import threading
import time

path, clients, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
over = threading.Event()
answered: list[int] = []
failures: list[str] = []


def ask() -> None:
    """Send one request; note its fate."""
    began = time.strftime("%H:%M:%S")
    connection = http.client.HTTPConnection("api", 8000, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            answered.append(answer.status)
        else:
            failures.append(f"{began} status {answer.status}")
    except (OSError, http.client.HTTPException) as error:
        failures.append(f"{began} {error!r}")
    finally:
        connection.close()


def keep_asking() -> None:
    """Ask until it is over."""
    while not over.is_set():
        ask()
        over.wait(pause)


threads = [threading.Thread(target=keep_asking) for _ in range(clients)]
for thread in threads:
    thread.start()
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
print(json.dumps({"requests": len(answered), "failures": failures}))
