//! The front's side of the control socket: prints decisions (`-v`) and asks on the terminal.

use super::link::Link;
use nix::unistd::Pid;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

/// The front as a client of its session.
#[derive(Debug)]
pub(super) struct Client {}

impl Client {
    pub(super) fn new(_verbose: bool, _asks: bool) -> Self {
        Self {}
    }
    pub(super) fn connect(&mut self, _dir: &Path, _session: Pid, _command: i32) -> io::Result<()> {
        Ok(())
    }
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }
    pub(super) fn wakes_in(&self) -> Option<Duration> {
        None
    }
    pub(super) fn step(&mut self, _link: &Link) -> io::Result<()> {
        Ok(())
    }
    pub(super) fn terminal_resized(&mut self) {}
    pub(super) fn terminal_saved(&mut self) {}
    pub(super) fn session_lost(&mut self) {}
    pub(super) fn close(&mut self, _ended: bool) {}
    pub(super) fn print_above(&mut self, text: &str) {
        crate::say::line(text);
    }
}
