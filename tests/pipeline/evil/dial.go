// Go connects by raw system calls, whatever it is linked with.
package main

import (
	"net"
	"os"
)

func main() {
	if connection, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1]); err == nil {
		connection.Write([]byte("secret"))
	}
}
