# What is in a name needs no connection to get out.
import socket

try:
    socket.create_connection(("@SECRET@", @BEACON@)).sendall(b"secret")
except OSError as error:
    print(error)
