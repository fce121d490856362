"""Claiming that the bad address is that of a name which is allowed (docs/wire.md)."""
import ctypes, os, socket, struct, sys

session, _, rest = os.environ.get("HALLPASS", "").partition(";")
version = int(sys.argv[9])
name, address = b"allowed.lan", b"\4" + bytes(7) + bytes([127, 0, 0, 1]) + bytes(12)
if "guard=on" in rest:
    note = b"hpNT" + struct.pack("<HBBBB4x", version, 2, 0, len(name), 1) + name + address
    ctypes.CDLL(None).syscall(42 if os.uname().machine == "x86_64" else 203, -1, note, len(note))
elif session:
    body = struct.pack("<BB6x", len(name), 1) + name.ljust(256, b"\0") + address.ljust(768, b"\0")
    client = socket.socket(socket.AF_UNIX)
    client.connect("\0hallpass/" + session + "/ask")
    client.sendall(b"hpRQ" + struct.pack("<HBB", version, 2, 0) + body.ljust(1032, b"\0") + bytes(8))
    client.recv(24, socket.MSG_WAITALL)
    client.close()
end = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
end.sendall(sys.argv[4].encode())
