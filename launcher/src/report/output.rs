//! Which reports a run makes, and writing them when it is over.

use super::answers::{self, Answers};
use super::place::Place;
use super::wanted::{Format, Wanted};
use super::{Collector, Report, github, gitlab, json, junit, learn, sarif, summary, text};
use crate::run::in_one_line;
use crate::run::learn::Learning;
use hallpass_policy::Rule;
use hallpass_session::problem::show_path;
use hallpass_session::{environment, render};
use rustix::fs::MemfdFlags;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Component, Path, PathBuf};

/// The reports of a run: opened before the program starts, written by the session.
#[derive(Debug)]
pub(crate) struct Reports {
    collector: Collector,
    audit: bool,
    jobs: Vec<Job>,
    /// The policy file, relative to the working directory, if it is below it.
    policy: Option<String>,
    /// What the front prints in the end; the session has no stderr.
    printed: File,
}

#[derive(Debug)]
enum Job {
    /// A file of its own.
    File(Format, Place),
    /// Text on stderr.
    Text,
    /// What was refused, on stderr; with the first policy file as it was given.
    Summary(Option<String>),
    /// The policy that a run needs.
    Learn(Place, Box<Learning>),
    /// The policy that answers are added to.
    Answers(Place, Box<Answers>),
    /// Annotations on stderr, and what goes to GitHub's files.
    Github {
        summary: Option<Summary>,
        outputs: Option<Place>,
    },
}

#[derive(Debug)]
enum Summary {
    /// FILE.
    File(Place),
    /// `$GITHUB_STEP_SUMMARY`.
    Step(Place),
}

impl Reports {
    /// Opens what is wanted; the error is for a person. `variable` reads the environment,
    /// `policies` are the files given with `--policy`.
    pub(crate) fn open(
        wanted: &[Wanted],
        policies: &[PathBuf],
        audit: bool,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let mut files: Vec<&Path> = wanted.iter().filter_map(|it| it.file.as_deref()).collect();
        files.sort();
        let same = files.iter().zip(files.iter().skip(1)).find(|(a, b)| a == b);
        if let Some((same, _)) = same {
            return Err(format!(
                "--report: two reports in {}; give each a file of its own",
                show_path(same)
            ));
        }
        let jobs = wanted
            .iter()
            .map(|wanted| job(wanted, &variable))
            .collect::<Result<Vec<Job>, String>>()?;
        let printed = rustix::fs::memfd_create("hallpass-report", MemfdFlags::CLOEXEC)
            .map_err(|errno| format!("cannot make room for a report: {errno}"))?;
        Ok(Self {
            collector: Collector::default(),
            audit,
            jobs,
            policy: policies.first().and_then(|path| below_here(path)),
            printed: File::from(printed),
        })
    }

    /// Also writes the policy that the run needs.
    pub(crate) fn learn(&mut self, learning: &Learning) -> Result<(), String> {
        let place = Place::kept(&learning.output).map_err(|error| format!("--output: {error}"))?;
        self.collector.watch_own_servers(learn::ephemeral_ports());
        let learning = Box::new(learning.clone());
        self.jobs.push(Job::Learn(place, learning));
        Ok(())
    }

    /// Also says what was refused, where no report on stderr does. `policies` are the files given
    /// with `--policy`.
    pub(crate) fn summarise(&mut self, policies: &[PathBuf]) {
        if !self.jobs.iter().any(|job| matches!(job, Job::Text)) {
            let policy = policies.first().map(|path| show_path(path));
            self.jobs.push(Job::Summary(policy));
        }
    }

    /// Also adds the answers that are given to this policy.
    pub(crate) fn save_answers(&mut self, file: &Path) -> Result<(), String> {
        let flagged = |error: String| format!("--save-answers: {error}");
        let place = Place::kept(file).map_err(flagged)?;
        let so_far = Answers::read(file).map_err(|problem| flagged(in_one_line(&problem)))?;
        self.jobs.push(Job::Answers(place, Box::new(so_far)));
        Ok(())
    }

    /// Whether there is anything to write in the end.
    pub(crate) fn write_something(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Takes the session's events.
    pub(crate) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// What [`Self::write`] will have left for stderr; for the front.
    pub(crate) fn printed(&self) -> std::io::Result<File> {
        self.printed.try_clone()
    }

    /// Writes them all, with the rules that answers have made and the number of those that were for
    /// a time only. What could not be written is told, a line each.
    pub(crate) fn write(&self, answers: (Vec<Rule>, usize)) -> Vec<String> {
        let report = self.collector.report(self.audit);
        let written = self.jobs.iter().map(|job| match job {
            Job::Answers(place, so_far) => self.add_answers(place, so_far, &answers),
            job => self.one(job, &report),
        });
        written.filter_map(Result::err).collect()
    }

    fn one(&self, job: &Job, report: &Report) -> Result<(), String> {
        match job {
            Job::Text => self.print(&text::render(report, false)),
            Job::Summary(policy) => self.print(&summary::render(report, policy.as_deref())),
            Job::Learn(place, learning) => self.write_policy(place, learning, report),
            Job::Answers(..) => Ok(()),
            Job::File(format, place) => {
                let policy = self.policy.as_deref();
                let rendered = match format {
                    Format::Text => Ok(text::render(report, true)),
                    Format::Json => json::render(report),
                    Format::Junit => Ok(junit::render(report)),
                    Format::Sarif => sarif::render(report, policy),
                    Format::Gitlab => gitlab::render(report, policy),
                    Format::Github => Ok(github::summary(report, github::SUMMARY_MAX)),
                };
                place.write(&rendered.map_err(|error| format!("cannot write a report: {error}"))?)
            }
            Job::Github { summary, outputs } => {
                let printed = self.print(&github::annotations(report));
                let summarised = match summary {
                    None => Ok(()),
                    Some(Summary::File(place)) => {
                        place.write(&github::summary(report, github::SUMMARY_MAX))
                    }
                    Some(Summary::Step(place)) => step_summary(place, report),
                };
                let counted = outputs
                    .as_ref()
                    .map_or(Ok(()), |place| place.append(|_| github::outputs(report)));
                printed.and(summarised).and(counted)
            }
        }
    }

    fn write_policy(
        &self,
        place: &Place,
        learning: &Learning,
        report: &Report,
    ) -> Result<(), String> {
        let so_far = learning.so_far.clone();
        let ephemeral = learn::ephemeral_ports();
        let learned = learn::learn(
            report,
            so_far,
            learning.programs,
            &environment::read(),
            &ephemeral,
        );
        // A policy that lacks nothing stays as a person has written it, to the last blank.
        if learned.added > 0 || !learning.is_there {
            let text = learned.file.to_json_pretty();
            place.write(&text.map_err(|error| format!("cannot write the policy: {error}"))?)?;
        }
        let mut lines: Vec<String> = learned.left_out.iter().map(left_out).collect();
        let (file, added) = (place.shown(), learned.added as u64);
        lines.push(match added {
            0 if learning.is_there => format!("hallpass: {file} lacks nothing"),
            added => format!(
                "hallpass: {} learned, in {file}; look through them, then: hallpass check {file}",
                render::count(added, "destination", "destinations")
            ),
        });
        self.print(&(lines.join("\n") + "\n"))
    }

    fn add_answers(
        &self,
        place: &Place,
        so_far: &Answers,
        (given, timed): &(Vec<Rule>, usize),
    ) -> Result<(), String> {
        let added = so_far.with(given, jiff::Timestamp::now());
        if let Some(file) = &added.file {
            let text = file.to_json_pretty();
            place.write(&text.map_err(|error| format!("cannot write the policy: {error}"))?)?;
        }
        self.print(&answers::said(&added, *timed, place.shown()))
    }

    fn print(&self, text: &str) -> Result<(), String> {
        let mut file = &self.printed;
        file.write_all(text.as_bytes())
            .map_err(|error| format!("cannot keep a report for stderr: {error}"))
    }
}

/// What the session has left for stderr.
pub(crate) fn read_printed(mut file: &File) -> std::io::Result<String> {
    file.rewind()?;
    std::io::read_to_string(file)
}

fn left_out(line: &String) -> String {
    format!("hallpass: not learned: {line}")
}

fn step_summary(place: &Place, report: &Report) -> Result<(), String> {
    let mut is_full = false;
    place.append(|size| {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let text = github::summary(report, github::SUMMARY_MAX.saturating_sub(size));
        is_full = text.is_empty();
        text
    })?;
    if is_full {
        return Err("the program has filled $GITHUB_STEP_SUMMARY; there is no room for the report (name a file: --report github=FILE)".to_owned());
    }
    Ok(())
}

fn job(wanted: &Wanted, variable: &impl Fn(&str) -> Option<OsString>) -> Result<Job, String> {
    let flagged = |error| format!("--report: {error}");
    let file = wanted.file.as_deref().map(Place::new_file);
    let file = file.transpose().map_err(flagged)?;
    let of_step = |name: &str| -> Result<Option<Place>, String> {
        let path = variable(name).filter(|path| !path.is_empty());
        let place = path.map(|path| Place::existing(Path::new(&path)));
        place
            .transpose()
            .map_err(|error| format!("--report github: ${name}: {error}"))
    };
    Ok(match (wanted.format, file) {
        (Format::Github, file) => Job::Github {
            summary: match file {
                Some(place) => Some(Summary::File(place)),
                None => of_step("GITHUB_STEP_SUMMARY")?.map(Summary::Step),
            },
            outputs: of_step("GITHUB_OUTPUT")?,
        },
        (format, Some(place)) => Job::File(format, place),
        (_, None) => Job::Text,
    })
}

/// A path below the working directory, relative to it; what code-scanning readers look for.
fn below_here(path: &Path) -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let relative = if path.is_absolute() {
        path.strip_prefix(here).ok()?
    } else {
        path
    };
    let parts = relative
        .components()
        .filter(|part| *part != Component::CurDir);
    let parts: Option<Vec<&str>> = parts
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    parts.map(|parts| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_elsewhere_has_no_place_in_the_project() {
        assert_eq!(below_here(Path::new("./ci/p.json")).unwrap(), "ci/p.json");
        let absolute = std::env::current_dir().unwrap().join("p.json");
        assert_eq!(below_here(&absolute).unwrap(), "p.json");
        assert_eq!(below_here(Path::new("../p.json")), None);
        assert_eq!(below_here(Path::new("/etc/p.json")), None);
    }

    #[test]
    fn github_without_its_files_still_annotates() {
        let wanted = [Wanted {
            format: Format::Github,
            file: None,
        }];
        let reports = Reports::open(&wanted, &[], false, |_| None).unwrap();
        assert!(reports.write((Vec::new(), 0)).is_empty());
        assert_eq!(read_printed(&reports.printed().unwrap()).unwrap(), "");
        let gone = |_: &str| Some(OsString::from("/nonexistent/summary"));
        assert!(Reports::open(&wanted, &[], false, gone).is_err());
    }

    #[test]
    fn a_summary_that_has_no_room_is_trouble() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary");
        std::fs::write(&path, vec![b'x'; github::SUMMARY_MAX]).unwrap();
        let place = Place::existing(&path).unwrap();
        assert!(
            step_summary(&place, &Report::default())
                .unwrap_err()
                .contains("no room")
        );
        std::fs::write(&path, "before").unwrap();
        step_summary(&place, &Report::default()).unwrap();
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .contains("## hallpass: 0 refused, 0 allowed")
        );
    }
}
