//! A screen, a home and a window manager of the measurement's own, and programs on it.

use super::ASKER;
use super::eye::Eye;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often a window manager is started that found its screen not ready.
const TRIES: u32 = 20;

/// Everything on it ends with it.
pub(super) struct Screen {
    display: String,
    home: PathBuf,
    pub(super) eye: Eye,
    /// Ended in reverse.
    children: Vec<Child>,
}

impl Screen {
    pub(super) fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hallpass-bench-{}-{number}", std::process::id());
        let home = std::env::temp_dir().join(name);
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(home.join("run"))?;
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg("1280x900x24")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("Xvfb: {error} (apt: xvfb)")))?;
        let mut line = String::new();
        if let Some(output) = server.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let display = format!(":{}", line.trim());
        let eye = Eye::new(&display);
        let mut children = vec![server];
        let eye = match eye {
            Ok(eye) => eye,
            Err(error) => {
                end(&mut children);
                return Err(error);
            }
        };
        let mut screen = Self {
            display,
            home,
            eye,
            children,
        };
        screen.manager()?;
        Ok(screen)
    }

    fn manager(&mut self) -> io::Result<()> {
        for _ in 0..TRIES {
            let mut child = self
                .command("openbox")
                .spawn()
                .map_err(|error| io::Error::other(format!("openbox: {error} (apt: openbox)")))?;
            std::thread::sleep(Duration::from_millis(300));
            if child.try_wait()?.is_none() {
                self.children.push(child);
                return Ok(());
            }
        }
        Err(io::Error::other("openbox does not stay"))
    }

    /// A command that knows this screen and this home and nothing else.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", self.home.join("run"))
            .env("DISPLAY", &self.display)
            .env("WINIT_X11_SCALE_FACTOR", "1")
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn ours(&self, name: &str) -> io::Result<Command> {
        let path = std::env::current_exe()?.with_file_name(name);
        if !path.exists() {
            let what = format!("{} is missing: build the package hallpass", path.display());
            return Err(io::Error::other(what));
        }
        Ok(self.command(&path.to_string_lossy()))
    }

    /// Starts the window's program; its process id.
    pub(super) fn agent(&mut self, arguments: &[&str]) -> io::Result<u32> {
        let child = self.ours("hallpass-agent")?.args(arguments).spawn()?;
        let pid = child.id();
        self.children.push(child);
        Ok(pid)
    }

    /// `hallpass` with these arguments, to its end.
    pub(super) fn hallpass(&self, arguments: &[&str]) -> io::Result<()> {
        let status = self.ours("hallpass")?.args(arguments).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "hallpass {arguments:?}: {status}"
            ))),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        end(&mut self.children);
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn end(children: &mut Vec<Child>) {
    while let Some(mut child) = children.pop() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A program under hallpass that connects when it is told to.
pub(super) struct Run {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Run {
    pub(super) fn start(screen: &Screen) -> io::Result<Self> {
        let mut command = screen.ours("hallpass")?;
        command
            .args(["run", "--ask", "@loopback", "--prompt=gui", "--"])
            .arg(std::env::current_exe()?)
            .arg(ASKER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let from = BufReader::new(from);
        let mut run = Self { child, to, from };
        run.answered()?;
        Ok(run)
    }

    /// One call, that is held.
    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.to.write_all(b"go\n")?;
        self.to.flush()
    }

    /// Waits until it was answered.
    pub(super) fn answered(&mut self) -> io::Result<()> {
        let mut line = String::new();
        match self.from.read_line(&mut line)? {
            0 => Err(io::Error::other("the program under hallpass has ended")),
            _ => Ok(()),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under hallpass: a call for each line it is given.
pub(crate) fn asker() -> ExitCode {
    println!("ready");
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    for line in io::stdin().lines() {
        if line.is_err() {
            break;
        }
        // It is refused, by a person or because nobody listens there.
        let _ = TcpStream::connect(to);
        println!("answered");
    }
    ExitCode::SUCCESS
}
