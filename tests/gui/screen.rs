//! A screen of the test's own: Xvfb, openbox, a home, and hallpass on it.

use crate::run::Run;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take; the machine may have two busy cores and no graphics card.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Keys count 700 ms after a frame, which takes a debug build on two busy cores a second or two.
pub(crate) const ARMED: Duration = Duration::from_secs(4);
const TOOLS: [&str; 8] = [
    "Xvfb", "openbox", "xdotool", "import", "xprop", "curl", "wget", "script",
];
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

pub(crate) struct Screen {
    home: TempDir,
    display: String,
    /// The socket of the Wayland compositor that our programs use instead of the X server.
    wayland: Option<&'static str>,
    /// Ended in reverse.
    children: Vec<Child>,
}

impl Screen {
    /// None, with a line that says so, where a tool is missing (tests/run installs them).
    pub(crate) fn new(size: &str, scale: &str) -> Option<Self> {
        for tool in TOOLS {
            if !PATH
                .split(':')
                .any(|dir| Path::new(dir).join(tool).exists())
            {
                println!("skipped: {tool} is not installed (tests/run installs it)");
                return None;
            }
        }
        let home = TempDir::new().unwrap();
        let run = home.path().join("run");
        std::fs::DirBuilder::new().mode(0o700).create(run).unwrap();
        let mut screen = Self {
            home,
            display: String::new(),
            wayland: None,
            children: Vec::new(),
        };
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", size])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        let mut lines = BufReader::new(server.stdout.take().unwrap());
        lines.read_line(&mut number).unwrap();
        screen.children.push(server);
        screen.display = format!(":{}", number.trim());
        std::fs::write(screen.path("scale"), scale).unwrap();
        let mut manager = screen.start("openbox", &[]);
        eventually("a window manager", || {
            // It gives up where the screen is not quite ready.
            if screen.children[manager].try_wait().unwrap().is_some() {
                manager = screen.start("openbox", &[]);
            }
            let out = screen.tool("xdotool", &["get_num_desktops"]);
            out.status.success().then_some(())
        });
        Some(screen)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command that knows this screen and this home and nothing else.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("DISPLAY", &self.display)
            .env(
                "WINIT_X11_SCALE_FACTOR",
                std::fs::read_to_string(self.path("scale")).unwrap(),
            )
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// A command of ours, where it has its windows.
    fn ours(&self, program: &str) -> Command {
        let mut command = self.command(program);
        if let Some(socket) = self.wayland {
            command.env_remove("DISPLAY").env("WAYLAND_DISPLAY", socket);
        }
        command
    }

    /// Puts a Wayland compositor on the screen, in a window as large, for our programs.
    pub(crate) fn enter_wayland(&mut self, width: u32, height: u32) {
        const SOCKET: &str = "wayland-test";
        let (width, height) = (format!("--width={width}"), format!("--height={height}"));
        let socket = format!("--socket={SOCKET}");
        let backend = ["--backend=x11-backend.so", "--use-pixman", "--no-config"];
        let args = [&backend[..], &[&width, &height, &socket, "--idle-time=0"]].concat();
        let before = self.xdotool(&["getwindowfocus"]);
        self.start("weston", &args);
        // The window manager gives a new window the keyboard; this one has no name.
        eventually("the compositor's window", || {
            let is_there = self.path("run").join(SOCKET).exists();
            (is_there && self.xdotool(&["getwindowfocus"]) != before).then_some(())
        });
        self.wayland = Some(SOCKET);
    }

    /// Starts what the screen ends when it goes; its place among the children.
    pub(crate) fn start(&mut self, program: &str, args: &[&str]) -> usize {
        let child = self.command(program).args(args).spawn().unwrap();
        self.children.push(child);
        self.children.len() - 1
    }

    pub(crate) fn agent(&mut self, args: &[&str]) -> usize {
        let mut agent = self.ours(env!("CARGO_BIN_EXE_hallpass-agent"));
        self.children.push(agent.args(args).spawn().unwrap());
        self.children.len() - 1
    }

    /// `hallpass` with these arguments, to its end.
    pub(crate) fn hallpass(&self, args: &[&str]) -> Output {
        let mut command = self.ours(env!("CARGO_BIN_EXE_hallpass"));
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.output().unwrap()
    }

    /// `hallpass run`, asking about loopback.
    pub(crate) fn run(&self, options: &[&str], argv: &[&str]) -> Run {
        let mut command = self.ours(env!("CARGO_BIN_EXE_hallpass"));
        command.args(["run", "--ask", "@loopback"]).args(options);
        command.arg("--").args(argv);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Run(Some(command.spawn().unwrap()))
    }

    /// The same on a terminal of its own (all that is printed counts as stdout).
    pub(crate) fn run_on_terminal(&self, options: &[&str], argv: &[&str]) -> Run {
        let hallpass = env!("CARGO_BIN_EXE_hallpass");
        let words = [
            &[hallpass, "run", "--ask", "@loopback"],
            options,
            &["--"],
            argv,
        ];
        let mut command = self.command("script");
        command.args(["-qec", &words.concat().join(" "), "/dev/null"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Run(Some(command.spawn().unwrap()))
    }

    /// The same without a terminal to ask on, whatever the tests are started from.
    pub(crate) fn run_without_terminal(&self, argv: &[&str]) -> Run {
        let mut command = self.command("setsid");
        command.args(["--wait", env!("CARGO_BIN_EXE_hallpass")]);
        command.args(["run", "--ask", "@loopback", "--"]).args(argv);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Run(Some(command.spawn().unwrap()))
    }

    /// The X server goes, as when somebody logs out.
    pub(crate) fn lose_display(&mut self) {
        self.children[0].kill().unwrap();
        self.children[0].wait().unwrap();
    }

    /// A property of the window, as xprop prints it.
    pub(crate) fn property(&self, name: &str) -> String {
        let window = self.window().expect("a window");
        let output = self.tool("xprop", &["-id", &window, name]).stdout;
        String::from_utf8_lossy(&output).into_owned()
    }

    pub(crate) fn tool(&self, program: &str, args: &[&str]) -> Output {
        let mut command = self.command(program);
        command.args(args).stdout(Stdio::piped());
        command.output().unwrap()
    }

    fn xdotool(&self, args: &[&str]) -> String {
        let output = self.tool("xdotool", args).stdout;
        String::from_utf8_lossy(&output).trim().to_owned()
    }

    /// The window's number, if it is on screen.
    pub(crate) fn window(&self) -> Option<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--class", "hallpass-agent"]);
        found.lines().last().map(str::to_owned)
    }

    /// The process that owns it.
    pub(crate) fn window_process(&self) -> String {
        let window = self.window();
        window.map_or_else(String::new, |window| {
            self.xdotool(&["getwindowpid", &window])
        })
    }

    /// The process id of what [`Self::start`] has started.
    pub(crate) fn process(&self, child: usize) -> String {
        self.children[child].id().to_string()
    }

    /// Sends a process of this screen a signal.
    pub(crate) fn signal(&self, pid: &str, signal: &str) {
        assert!(!pid.is_empty(), "no process");
        let sent = self.tool("kill", &[&format!("-{signal}"), pid]);
        assert!(sent.status.success(), "{sent:?}");
    }

    /// The window dies by a signal while one question waits, and another comes with it.
    #[track_caller]
    pub(crate) fn replaced_after(&self, signal: &str) {
        let killed = self.window_process();
        self.signal(&killed, signal);
        eventually("another window", || {
            let process = self.window_process();
            let is_another = !process.is_empty() && process != killed;
            (is_another && self.title().contains("curl asks")).then_some(())
        });
        assert_eq!(self.pending(), 1);
    }

    pub(crate) fn title(&self) -> String {
        match self.window() {
            Some(window) => self.xdotool(&["getwindowname", &window]),
            None => String::new(),
        }
    }

    #[track_caller]
    pub(crate) fn wait_for_title(&self, part: &str) {
        eventually(&format!("a window titled {part}"), || {
            self.title().contains(part).then_some(())
        });
    }

    #[track_caller]
    pub(crate) fn wait_until_gone(&self) {
        eventually("the window to go", || self.window().is_none().then_some(()));
    }

    pub(crate) fn is_focused(&self) -> bool {
        Some(self.xdotool(&["getwindowfocus"])) == self.window()
    }

    /// Gives the window the keyboard, and waits until keys count.
    #[track_caller]
    pub(crate) fn focus(&self) {
        let window = self.window().expect("a window");
        self.xdotool(&["windowactivate", "--sync", &window]);
        eventually("the focus", || self.is_focused().then_some(()));
        std::thread::sleep(ARMED);
    }

    /// Gives the window the keyboard and presses a key at once; how long both took.
    pub(crate) fn focus_and_type(&self, key: &str) -> Duration {
        let window = self.window().expect("a window");
        let start = Instant::now();
        self.xdotool(&["windowactivate", "--sync", &window, "key", key]);
        start.elapsed()
    }

    /// A key to whatever has the keyboard.
    pub(crate) fn key(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    /// Closes the window as often as it takes until the calls of `run` are refused: the first
    /// time it only tells, and on a busy machine it is slow to.
    pub(crate) fn close_until_refused(&self, run: &mut Run) {
        eventually("the calls to be refused", || {
            self.key("alt+F4");
            std::thread::sleep(Duration::from_millis(1500));
            run.has_ended().then_some(())
        });
    }

    /// A click into the window, in its own coordinates.
    pub(crate) fn click(&self, x: u32, y: u32) {
        let window = self.window().expect("a window");
        let (x, y) = (x.to_string(), y.to_string());
        self.xdotool(&["mousemove", "--window", &window, &x, &y, "click", "1"]);
        std::thread::sleep(Duration::from_millis(400));
    }

    /// The questions that wait, as a shell sees them.
    pub(crate) fn pending(&self) -> usize {
        let output = self.hallpass(&["pending", "--json"]).stdout;
        let text = String::from_utf8_lossy(&output).into_owned();
        text.lines().count()
    }

    /// How bright the window's panel is: 0 to 255.
    pub(crate) fn brightness(&self) -> u32 {
        let window = self.window().expect("a window");
        let args = [
            "-window", &window, "-crop", "1x1+4+4", "-depth", "8", "gray:-",
        ];
        let bytes = self.tool("import", &args).stdout;
        (*bytes.first().expect("a picture")).into()
    }

    /// A picture of the whole screen, where [`Self::picture`] would take one of the window.
    pub(crate) fn picture_of_all(&self, name: &str) {
        if let Some(dir) = std::env::var_os("HALLPASS_SCREENSHOTS") {
            let file = Path::new(&dir).join(format!("{name}.png"));
            self.tool("import", &["-window", "root", &file.display().to_string()]);
        }
    }

    /// A picture of the window, where `HALLPASS_SCREENSHOTS` names a directory for them.
    pub(crate) fn picture(&self, name: &str) {
        let Some(dir) = std::env::var_os("HALLPASS_SCREENSHOTS") else {
            return;
        };
        self.xdotool(&["mousemove", "2", "2"]);
        std::thread::sleep(Duration::from_millis(600));
        let file = Path::new(&dir).join(format!("{name}.png"));
        let window = self.window().expect("a window");
        // A palette: nobody sees the difference, and the repository keeps them all.
        let small = format!("PNG8:{}", file.display());
        let palette = ["-strip", "-dither", "None", "-colors", "255", &small];
        let args = [&["-window", &window], &palette[..]].concat();
        let taken = self.tool("import", &args);
        assert!(taken.status.success(), "no picture in {}", file.display());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        while let Some(mut child) = self.children.pop() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The processes that call themselves `name` and were started with `argument`.
pub(crate) fn processes(name: &str, argument: &str) -> Vec<String> {
    let listing = std::fs::read_dir("/proc").unwrap().flatten();
    let is_wanted = |dir: &Path| {
        let read = |file| std::fs::read_to_string(dir.join(file)).unwrap_or_default();
        read("comm").trim_end() == name && read("cmdline").split('\0').any(|it| it == argument)
    };
    let found = listing.filter(|entry| is_wanted(&entry.path()));
    let names = found.filter_map(|entry| entry.file_name().into_string().ok());
    names.collect()
}

#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
