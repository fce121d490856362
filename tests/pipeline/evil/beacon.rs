fn main() {
    let to = ("127.0.0.1", @BEACON@);
    if let Ok(mut stream) = std::net::TcpStream::connect(to) {
        let _ = std::io::Write::write_all(&mut stream, b"secret");
    }
}
