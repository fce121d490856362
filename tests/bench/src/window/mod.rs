//! `hallpass-bench window`: how long the desktop window takes to appear, and what it costs while
//! it waits. On a screen of its own (Xvfb, openbox), looked at from outside: the dialog is there
//! when its pixels are.
//!
//! Xvfb has no graphics card, so everything is drawn by llvmpipe on the processor.

mod eye;
mod process;
mod screen;

use crate::machine;
use crate::stats::{Samples, show};
use process::{Usage, usage};
pub(crate) use screen::asker;
use screen::{Run, Screen};
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The word for it on the command line.
pub(crate) const WINDOW: &str = "window";
/// What the worker under `hallpass run` is told to be.
pub(crate) const ASKER: &str = "asker";
/// After a window has gone: whatever follows must not run into its end.
const REST: Duration = Duration::from_millis(500);

/// What the marks of DESIGN §10 allow.
const DIALOG_MS: f64 = 100.0;
const FIRST_FRAME_MS: f64 = 500.0;
const IDLE_PERCENT: f64 = 0.1;
const MEMORY_MB: f64 = 200.0;

/// Measures it all, and prints it.
pub(crate) fn main(quick: bool, json: bool) -> ExitCode {
    match measure(quick) {
        Ok(found) => {
            let text = if json { found.json() } else { found.table() };
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hallpass-bench: {error}");
            ExitCode::from(125)
        }
    }
}

/// What was measured.
struct Found {
    /// `hallpass agent` to its first frame.
    first_frame: Samples,
    /// A held call to the dialog, no window's process running.
    cold: Samples,
    /// The first of a process that was running.
    first: Samples,
    /// Each after that.
    warm: Samples,
    /// Sessions run, nothing waits.
    hidden: Usage,
    /// A question stands on the screen.
    shown: Usage,
}

fn measure(quick: bool) -> io::Result<Found> {
    let (few, many, idle) = match quick {
        true => (3, 5, Duration::from_secs(10)),
        false => (10, 30, Duration::from_secs(60)),
    };
    let mut first_frame = Samples::default();
    for _ in 0..few {
        let mut screen = Screen::new()?;
        let start = Instant::now();
        screen.agent(&[])?;
        screen.eye.appears()?;
        first_frame.push(start.elapsed());
    }
    let mut cold = Samples::default();
    for _ in 0..few {
        let mut screen = Screen::new()?;
        let mut run = Run::start(&screen)?;
        cold.push(ask(&mut screen, &mut run)?);
    }
    let mut first = Samples::default();
    for _ in 0..few {
        let (mut screen, mut run, _) = waiting()?;
        first.push(ask(&mut screen, &mut run)?);
    }
    let (mut screen, mut run, agent) = waiting()?;
    let mut warm = Samples::default();
    ask(&mut screen, &mut run)?;
    for _ in 0..many {
        warm.push(ask(&mut screen, &mut run)?);
    }
    let hidden = usage(agent, idle)?;
    run.ask()?;
    screen.eye.appears()?;
    std::thread::sleep(2 * REST);
    let shown = usage(agent, idle)?;
    Ok(Found {
        first_frame,
        cold,
        first,
        warm,
        hidden,
        shown,
    })
}

/// A screen with the window's process on it, which has found a session; nothing is asked.
fn waiting() -> io::Result<(Screen, Run, u32)> {
    let mut screen = Screen::new()?;
    let agent = screen.agent(&["--background"])?;
    let run = Run::start(&screen)?;
    std::thread::sleep(4 * REST);
    Ok((screen, run, agent))
}

/// From one held call to its dialog; the question is answered afterwards.
fn ask(screen: &mut Screen, run: &mut Run) -> io::Result<Duration> {
    let start = Instant::now();
    run.ask()?;
    screen.eye.appears()?;
    let taken = start.elapsed();
    screen.hallpass(&["answer", "deny", "--for", "once"])?;
    run.answered()?;
    screen.eye.goes()?;
    std::thread::sleep(REST);
    Ok(taken)
}

impl Found {
    /// What, figure, unit, mark.
    fn marks(&self) -> [(&'static str, f64, &'static str, f64); 7] {
        let ms = |samples: &Samples| samples.median() / 1e6;
        [
            (
                "held call to dialog, its first",
                ms(&self.first),
                "ms",
                DIALOG_MS,
            ),
            (
                "held call to dialog, later",
                ms(&self.warm),
                "ms",
                DIALOG_MS,
            ),
            (
                "agent start to first frame",
                ms(&self.first_frame),
                "ms",
                FIRST_FRAME_MS,
            ),
            (
                "processor, nothing waits",
                self.hidden.percent,
                "%",
                IDLE_PERCENT,
            ),
            (
                "processor, a question shown",
                self.shown.percent,
                "%",
                IDLE_PERCENT,
            ),
            ("resident memory", self.shown.resident_mb, "MB", MEMORY_MB),
            (
                "its share (PSS)",
                self.shown.share_mb.unwrap_or(f64::NAN),
                "MB",
                MEMORY_MB,
            ),
        ]
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for (what, samples) in [
            ("agent start to first frame", &self.first_frame),
            ("held call to dialog, no agent running", &self.cold),
            ("held call to dialog, its first", &self.first),
            ("held call to dialog, each after that", &self.warm),
        ] {
            let _ = writeln!(
                text,
                "{what:<40} {:>10}  (p10 {}, p90 {}, n {})",
                show(samples.median()),
                show(samples.quantile(0.1)),
                show(samples.quantile(0.9)),
                samples.0.len()
            );
        }
        text.push_str("\nmarks (DESIGN §10)\n");
        for (what, figure, unit, most) in self.marks() {
            let word = match figure.is_nan() {
                true => "not readable",
                false if figure < most => "met",
                false => "MISSED",
            };
            let _ = writeln!(
                text,
                "  {what:<34} {figure:>8.2} {unit:<2} of {most:>6.1}  {word}"
            );
        }
        let _ = write!(text, "\n{}, drawn by llvmpipe", machine::describe());
        text
    }

    fn json(&self) -> String {
        let marks = self.marks().map(|(what, figure, unit, most)| {
            serde_json::json!({
                "what": what, "figure": figure, "unit": unit, "most": most, "met": figure < most,
            })
        });
        serde_json::json!({
            "machine": machine::describe(),
            "held_call_to_dialog_without_agent_ms": self.cold.median() / 1e6,
            "marks": marks,
        })
        .to_string()
    }
}
