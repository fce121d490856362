//! Programs that start the one that connects: from shells, in parallel, with an environment that
//! was emptied, as daemons. What they start behaves as bare, and is still decided.

use crate::column::{Case, Place, refused, same};
use crate::harness::{Outcome, eventually, missing};
use crate::seen::{Blur, without_digits};

const PAGE: &str = "page from the test's server";

/// As bare where all is allowed; and refused, so it has not slipped away from its session.
macro_rules! starts {
    ($($(#[$attribute:meta])* $name:ident, $times:literal connections: $case:expr;)*) => {
        mod allowed {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                same($case).prints(PAGE).connects($times);
            })*
        }
        mod refused {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                Case::default().blur(Blur::lines(without_digits)).refused($case);
            })*
        }
    };
}

starts! {
    script, 2 connections: |it| {
        let script = format!("#!/bin/sh\nset -e\ncurl -sS {0}\nx=$(curl -sS {0})\necho \"$x\"\n", it.url());
        let script = it.dir.script("script", &script);
        it.run(&[&script])
    };
    xargs_in_parallel, 8 connections: |it| {
        it.command(&["xargs", "-P4", "-n1", "curl", "-s"])
            .stdin(format!("{}\n", it.url()).repeat(8))
            .output()
    };
    make_in_parallel, 6 connections: |it| {
        let rule = format!("all: $(addprefix get,1 2 3 4 5 6)\nget%:\n\t@curl -s {} || echo refused\n", it.url());
        it.dir.write("home/Makefile", rule);
        it.run(&["make", "-j3"])
    };
    env_cleared, 1 connections: |it| it.run(&["env", "-i", "/usr/bin/curl", "-sS", &it.url()]);
    env_cleared_inside, 1 connections: |it| {
        it.sh(&format!("env -i PATH=/usr/bin:/bin sh -c 'curl -sS {}; echo $#'", it.url()))
    };
    preload_unset, 1 connections: |it| it.sh(&format!("unset LD_PRELOAD; curl -sS {}", it.url()));
    both_variables_unset, 1 connections: |it| {
        it.sh(&format!("unset LD_PRELOAD HALLPASS; exec curl -sS {}", it.url()))
    };
    preload_rewritten, 1 connections: |it| {
        it.sh(&format!("LD_PRELOAD=libm.so.6 curl -sS {}", it.url()))
    };
    python_execve, 1 connections: |it| {
        let script = "import os, sys; os.execve('/usr/bin/curl', ['curl', '-sS', sys.argv[1]], {})";
        it.run(&["python3", "-c", script, &it.url()])
    };
    python_posix_spawn, 1 connections: |it| {
        let script = "import os, sys
p = os.posix_spawn('/usr/bin/curl', ['curl', '-sS', sys.argv[1]], {})
print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))";
        it.run(&["python3", "-c", script, &it.url()])
    };
    python_subprocess, 1 connections: |it| {
        let script = "import subprocess, sys
print(subprocess.run(['curl', '-sS', sys.argv[1]], env={}, close_fds=True).returncode)";
        it.run(&["python3", "-c", script, &it.url()])
    };
    perl_system, 1 connections: |it| {
        let script = "%ENV = (); print system('/usr/bin/curl', '-sS', $ARGV[0]) >> 8, qq(\\n)";
        it.run(&["perl", "-e", script, &it.url()])
    };
    perl_pipe, 1 connections: |it| {
        let script = "%ENV = (PATH => '/usr/bin:/bin'); print `curl -sS $ARGV[0]`; print $? >> 8";
        it.run(&["perl", "-e", script, &it.url()])
    };
    node_spawn, 1 connections: |it| {
        let script = "const r = require('child_process').spawnSync('/usr/bin/curl',
            ['-sS', process.argv[1]], {env: {}, stdio: 'inherit'}); console.log(r.status)";
        it.run(&["node", "-e", script, &it.url()])
    };
    find_exec, 1 connections: |it| {
        it.sh(&format!("find . -maxdepth 0 -exec env -i /usr/bin/curl -sS {} ';'", it.url()))
    };
    setsid, 1 connections: |it| it.run(&["setsid", "-w", "curl", "-sS", &it.url()]);
    nohup_in_the_background, 1 connections: |it| {
        it.sh(&format!("nohup curl -sS {} & wait $!; echo $?", it.url()))
    };
}

/// Forks twice, closes everything, and writes what it got to a file when CMD has long ended.
const DAEMON: &str = r"
import os, sys, socket
if os.fork(): os._exit(0)
os.setsid(); os.chdir('/'); os.umask(0o22)
if os.fork(): os._exit(0)
os.closerange(0, 256)
null = os.open('/dev/null', os.O_RDWR); os.dup2(null, 1); os.dup2(null, 2)
port, result = int(sys.argv[1]), sys.argv[2]
try:
    s = socket.create_connection(('127.0.0.1', port))
    s.sendall(b'GET / HTTP/1.0\r\n\r\n')
    text = ''
    while chunk := s.recv(4096).decode(): text += chunk
except OSError as e: text = repr(e)
text += str(sorted(os.listdir('/proc/self/fd')))
with open(result + '.new', 'w') as f: f.write(text)
os.rename(result + '.new', result)
";

fn daemon(it: &Place<'_>) -> Outcome {
    let result = it.dir.path("home/result");
    let path = result.to_str().unwrap();
    let ended = it
        .run(&["python3", "-c", DAEMON, &it.port.to_string(), path])
        .ok();
    assert!(ended.stdout.is_empty(), "{ended}");
    eventually("the daemon's result", || result.exists().then_some(()));
    it.dir.bare(&["cat", path]).output()
}

#[test]
fn a_daemon_is_as_bare() {
    if !missing("python3") {
        same(daemon).ok().prints(PAGE).connects(1);
    }
}

#[test]
fn a_daemon_is_refused() {
    if !missing("python3") {
        refused(daemon).ok().prints("ConnectionRefusedError");
    }
}

/// musl has no function execveat.
const MUSL: &str = r#"
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char *words[] = {"curl", "-sS", argv[1], 0}, *environment[] = {0};
    return syscall(SYS_execveat, AT_FDCWD, "/usr/bin/curl", words, environment, 0);
}
"#;

fn musl(it: &Place<'_>) -> Outcome {
    let source = it.dir.write("home/starts.c", MUSL);
    let program = it.dir.path("home/starts").to_str().unwrap().to_owned();
    let words = ["musl-gcc", "-o", &program, source.to_str().unwrap()];
    it.dir.bare(&words).output().ok();
    it.run(&[&program, &it.url()])
}

#[test]
fn a_dynamic_program_of_musl_starts_another_by_execveat() {
    if !missing("musl-gcc") {
        same(musl).ok().prints(PAGE).connects(1);
        Case::default()
            .blur(Blur::lines(without_digits))
            .refused(musl);
    }
}
