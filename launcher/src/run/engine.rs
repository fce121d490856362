//! temporary

use super::command::Command;
use super::link::End;
use std::path::Path;
#[derive(Debug)]
pub(super) struct Plan {}
pub(super) struct Bound {}
pub(super) struct Engine {}
impl Plan {
    pub(super) fn bind(&self) -> Result<Bound, String> {
        Ok(Bound {})
    }
}
impl Bound {
    pub(super) fn prepare(&self, _command: &mut Command) -> Result<(), String> {
        Ok(())
    }
    pub(super) fn serve(self) -> Result<Engine, String> {
        Ok(Engine {})
    }
}
impl Engine {
    pub(super) fn name(&self) -> &str {
        "x"
    }
    pub(super) fn dir(&self) -> &Path {
        Path::new("/nonexistent")
    }
    pub(super) fn refuse_all_from_now_on(&self) {}
    pub(super) fn refuse_all_for_timeout(&self) {}
    pub(super) fn command_ended(&self, _end: End) {}
    pub(super) fn totals(&self) -> (u64, u64) {
        (0, 0)
    }
    pub(super) fn finish(&self) {}
}
