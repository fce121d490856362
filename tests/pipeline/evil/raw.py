# Packets of one's own: what no rule for addresses and ports would see.
import socket, struct

for family, kind, protocol in [
    (socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)),
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP),
]:
    try:
        sock = socket.socket(family, kind, protocol)
        if family == socket.AF_INET:
            sock.sendto(struct.pack(">HHIIBBHHH", 9, @BEACON@, 1, 0, 5 << 4, 2, 99, 0, 0), ("127.0.0.1", 0))
    except OSError as error:
        print(error)
