//! The user's rules file as a session's place for answers for good.

use super::problem::in_one_line;
use hallpass_policy::Rule;
use hallpass_session::core::SavedRules;
use hallpass_session::rules_file;
use std::path::PathBuf;

/// A rules file.
#[derive(Debug)]
pub(super) struct SavedFile {
    path: PathBuf,
}

impl SavedFile {
    /// The file at `path`, which need not exist yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl SavedRules for SavedFile {
    fn load(&self) -> Result<Vec<Rule>, String> {
        rules_file::load(&self.path)
            .map(|file| file.rules)
            .map_err(|problem| in_one_line(&problem))
    }

    fn add(&self, rule: &Rule) -> Result<(), String> {
        rules_file::update(&self.path, |file| {
            if !file.rules.contains(rule) {
                file.rules.push(rule.clone());
            }
        })
        .map_err(|problem| in_one_line(&problem))
    }
}
