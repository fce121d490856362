"""A session of the program's own making, which allows everything (docs/wire.md)."""
import os, socket, struct, sys, threading

way, good, version = sys.argv[1], int(sys.argv[3]), int(sys.argv[9])
real = os.environ.get("HALLPASS", "").split(";")[0]
reply = b"hpRP" + struct.pack("<HBBB3xIQ", version, 3, 1, 1, 0, 0)


def request(port):
    body = struct.pack("<BBBBH2x", 1, 1, 0, 0, port) + b"\4" + bytes(7) + bytes([127, 0, 0, 1])
    return b"hpRQ" + struct.pack("<HBB", version, 1, 0) + body.ljust(1032, b"\0") + bytes(8)


def dial(port):
    """What the session answers for a port that is allowed."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect("\0hallpass/" + real + "/ask")
    client.sendall(request(port))
    return client.recv(24, socket.MSG_WAITALL)


def serve(listener):
    while True:
        client, _ = listener.accept()
        client.recv(1048, socket.MSG_WAITALL)
        client.sendall(reply)


if real:
    if way == "replayed":
        try:
            reply = dial(good)
        except OSError as error:
            print("failed:", error.strerror, flush=True)
    name = f"{os.getpid()}-deadbeef"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0hallpass/" + name + "/ask")
    listener.listen(5)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    environment = {**os.environ, "HALLPASS": f"{name};guard=off;dir=/nowhere"}
    # By the system call: the hook would put the session's own name back.
    if os.fork() == 0:
        import ctypes

        libc = ctypes.CDLL(None)
        words = [sys.argv[7], "tcp", *sys.argv[2:7], "-"]
        c = lambda texts: (ctypes.c_char_p * (len(texts) + 1))(*[t.encode() for t in texts], None)
        libc.syscall(59 if os.uname().machine == "x86_64" else 221, words[0].encode(), c(words),
                     c([f"{key}={value}" for key, value in environment.items()]))
        os._exit(1)
    os.wait()
else:
    os.execv(sys.argv[7], [sys.argv[7], "tcp", *sys.argv[2:7], "-"])
