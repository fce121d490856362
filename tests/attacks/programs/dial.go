// What the C program plain does, by Go's own system calls.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	conn, err := net.Dial("tcp", "127.0.0.1:"+os.Args[2])
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	conn.Write([]byte(os.Args[4]))
	conn.Close()
}
