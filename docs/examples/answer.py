#!/usr/bin/env python3
"""Lists the questions that wait, in all sessions; `answer.py SESSION:N allow|deny` answers one.

A client of the control socket: docs/control.md.
"""
import glob, json, os, socket, struct, sys


class Session:
    """One running session: SESSION is PID-8hex, its socket is BASE/SESSION/control."""

    def __init__(self, path):
        self.name = os.path.basename(os.path.dirname(path))
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        # Whoever else can make such a path is not the session: its process has the name's number.
        peer = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("iI", peer[:8]) != (int(self.name.split("-")[0]), os.getuid()):
            raise OSError("somebody else listens there")
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        self.last = 0
        self.request("hello", version=1, client="answer.py")

    def request(self, do, **more):
        """Sends one request; gives what its reply holds."""
        self.last += 1
        print(json.dumps({"id": self.last, "do": do, **more}), file=self.lines, flush=True)
        for line in self.lines:
            ((kind, body),) = json.loads(line).items()
            if kind == "error":
                sys.exit(f"{self.name}: {body['error']}")
            if body.get("re") == self.last:
                return body
        raise OSError("the session has ended")


def sessions():
    bases = [f"/tmp/hallpass-{os.getuid()}"]
    if "XDG_RUNTIME_DIR" in os.environ:
        bases.append(os.environ["XDG_RUNTIME_DIR"] + "/hallpass")
    for base in bases:
        for path in glob.glob(f"{glob.escape(base)}/*-*/control"):
            try:
                yield Session(path)
            except OSError as error:  # what a session that was killed has left behind
                print(f"{path}: {error}", file=sys.stderr)


if len(sys.argv) == 1:
    for session in sessions():
        for asked in session.request("pending")["questions"]:
            place = asked["names"][0]["name"] if asked["names"] else asked["address"]
            print(f"{session.name}:{asked['id']}", asked["app"]["name"], place, asked["port"])
elif len(sys.argv) == 3 and ":" in sys.argv[1] and sys.argv[2] in ("allow", "deny"):
    name, _, question = sys.argv[1].partition(":")
    for session in sessions():
        if session.name == name:
            done = session.request("answer", question=int(question), verdict=sys.argv[2])
            sys.exit(print(done["settled"], "settled"))
    sys.exit(f"{name}: no such session runs")
else:
    sys.exit(__doc__)
