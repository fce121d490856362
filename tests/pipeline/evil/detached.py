# Nobody's child by the time that it calls: its parents have ended.
import os, socket, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        time.sleep(0.5)
        try:
            socket.create_connection(("127.0.0.1", @BEACON@)).sendall(b"secret")
        except OSError:
            pass
    os._exit(0)
