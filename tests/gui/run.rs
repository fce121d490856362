//! A program under hallpass, and the web server that it wants to connect to.

use crate::screen::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

/// What [`server`] begins to answer and does not end.
pub(crate) const STAYS: &str = "/stays";

/// A program under hallpass; ended with the case.
pub(crate) struct Run(pub(crate) Option<Child>);

impl Run {
    /// Types on its terminal.
    pub(crate) fn type_in(&mut self, text: &str) {
        let child = self.0.as_mut().expect("not ended before");
        let terminal = child.stdin.as_mut().expect("a terminal");
        // It may have just ended.
        let _ = terminal.write_all(text.as_bytes());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        let child = self.0.as_mut().expect("not ended before");
        child.try_wait().unwrap().is_some()
    }

    /// Its exit status and what it printed (stdout, stderr).
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let mut child = self.0.take().unwrap();
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("it did not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A web server on loopback that says `hello`; its URL.
pub(crate) fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    url
}

fn answer(mut stream: TcpStream) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let asked: Vec<String> = lines
        .map_while(|line| line.ok().filter(|line| !line.is_empty()))
        .collect();
    let stays = asked.first().is_some_and(|line| line.contains(STAYS));
    let length = if stays { 100_000 } else { 5 };
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
    let _ = stream.write_all(head.as_bytes());
    if stays {
        std::thread::sleep(PATIENCE);
    }
}
