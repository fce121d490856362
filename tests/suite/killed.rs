//! The session is killed at random instants while a program makes calls as fast as it can: nothing
//! that no rule allows gets through, and nothing of ours stays behind.
//!
//! Twenty times; `HALLPASS_TEST_KILLS=1000 cargo nextest run -p hallpass -E 'test(killed::)'` does
//! it more often.

use crate::harness::{Dir, Http};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

/// Two threads in each of two processes, by turns to the port that is allowed and to the one that
/// is not, until a call fails with anything but a refusal.
const RUSH: &str = r#"
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
static int ports[2];
static void *rush(void *unused) {
    struct linger hard = {1, 0};
    for (unsigned i = 0;; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(ports[i % 2])};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        int r = connect(s, (void *)&to, sizeof to), e = errno;
        close(s);
        if (r == 0 && i % 2) { printf("passed\n"); fflush(stdout); }
        if (r < 0 && !(i % 2 && e == ECONNREFUSED)) return NULL;
    }
}
int main(int argc, char **argv) {
    ports[0] = atoi(argv[1]), ports[1] = atoi(argv[2]);
    pid_t child = fork();
    pthread_t one, two;
    pthread_create(&one, NULL, rush, NULL);
    pthread_create(&two, NULL, rush, NULL);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    if (child) { waitpid(child, NULL, 0); printf("over\n"); }
    return 0;
}
"#;

/// A xorshift generator: instants need no better one.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn a_session_killed_at_any_instant_lets_nothing_through_and_leaves_nothing() {
    let count = std::env::var("HALLPASS_TEST_KILLS").map_or(20, |it| it.parse().unwrap());
    let (dir, allowed, denied) = (Dir::new(), Http::v4(), Http::v4());
    let source = dir.write("home/rush.c", RUSH);
    let program = dir.path("home/rush").to_str().unwrap().to_owned();
    // Static: no hook, whose answer would be the same.
    let words = [
        "cc",
        "-static",
        "-pthread",
        "-o",
        &program,
        source.to_str().unwrap(),
    ];
    dir.bare(&words).output().ok();
    let allow = format!("127.0.0.1:{}/tcp", allowed.port());
    let flags = ["--guard=on", "--default=deny", "--allow", &allow];
    let (open, closed) = (allowed.port().to_string(), denied.port().to_string());
    let mut seed = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    for round in 0..count {
        let running = dir.run(&flags, &[&program, &open, &closed]).spawn();
        let session = Pid::from_raw(dir.session_pid());
        // From before the program starts until well into its rush.
        std::thread::sleep(Duration::from_micros(next(&mut seed) % 60_000));
        kill(session, Signal::SIGKILL).unwrap();
        let outcome = running.finish();
        assert!(
            !outcome.stdout.contains("passed"),
            "round {round}: {outcome}"
        );
        assert_eq!(denied.connections(), 0, "round {round}: {outcome}");
        dir.expect_nothing_left();
        let name = format!("hallpass/{session}-");
        let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
        assert!(!sockets.contains(&name), "round {round}: a socket is left");
    }
    println!("{} connections before the kills", allowed.connections());
    assert!(allowed.connections() > 0, "no rush at all");
}
