# As if it were another package's, without the library that hallpass has put in.
import os, subprocess, sys

env = {
    "PATH": os.environ["PATH"],
    "npm_package_name": "good",
    "npm_package_json": "/x/node_modules/good/package.json",
    "npm_lifecycle_event": "test",
    "CARGO_PKG_NAME": "good",
    "GOPACKAGE": "good",
}
code = """
import socket, sys
try: socket.create_connection(("127.0.0.1", @BEACON@)).sendall(b"secret")
except OSError as error: print(error)
"""
subprocess.run([sys.executable, "-c", code], env=env, cwd="/")
