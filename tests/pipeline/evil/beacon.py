# To a place that nobody declared.
import socket

try:
    socket.create_connection(("127.0.0.1", @BEACON@)).sendall(b"secret")
except OSError as error:
    print(error)
