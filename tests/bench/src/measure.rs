//! Rounds: each way once a round, another one first each time.

use crate::fixtures::Fixtures;
use crate::stats::Samples;
use crate::way::Way;
use crate::work::Work;
use std::time::{Duration, Instant};

/// How long a work is measured: at least so many rounds, no new one after so long, never more.
/// Rounds of short turns: a virtual processor that is slower for a second then slows all ways.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    least: usize,
    most: usize,
    time: Duration,
}

/// A way that has taken more than a quarter of the time sits a round out: one that takes a second
/// to start (syd) would leave the others few rounds.
const MOST_OF_TIME: u32 = 4;

impl Effort {
    /// Below five minutes for all works on two cores.
    pub(crate) const FULL: Self = Self {
        least: 3,
        most: 60,
        time: Duration::from_secs(12),
    };
    pub(crate) const QUICK: Self = Self {
        least: 2,
        most: 10,
        time: Duration::from_secs(3),
    };
}

/// What came of a work: by way, in the order of [`crate::way::all`].
pub(crate) struct Measured {
    pub(crate) samples: Vec<(String, Samples)>,
    /// Ways that could not do this work, and why.
    pub(crate) failed: Vec<(String, String)>,
    /// Why nothing was measured at all.
    pub(crate) impossible: Option<String>,
}

impl Measured {
    pub(crate) fn quantile(&self, way: &str, q: f64) -> Option<f64> {
        let (_, samples) = self.samples.iter().find(|(name, _)| name == way)?;
        Some(samples.quantile(q))
    }
}

pub(crate) fn measure(work: &Work, ways: &[Way], fixtures: &Fixtures, effort: Effort) -> Measured {
    let mut measured = Measured {
        samples: Vec::new(),
        failed: Vec::new(),
        impossible: None,
    };
    let job = match work.prepare(fixtures) {
        Ok(job) => job,
        Err(error) => {
            measured.impossible = Some(error.to_string());
            return measured;
        }
    };
    let ways: Vec<&Way> = ways.iter().filter(|way| work.is_for(way)).collect();
    let mut states: Vec<Result<Samples, String>> =
        ways.iter().map(|_| Ok(Samples::default())).collect();
    let mut spent = vec![Duration::ZERO; ways.len()];
    let start = Instant::now();
    for round in 0..effort.most {
        if round >= effort.least && start.elapsed() > effort.time {
            break;
        }
        for turn in 0..ways.len() {
            let index = (round + turn) % ways.len();
            let (Some(way), Some(state), Some(spent)) =
                (ways.get(index), states.get_mut(index), spent.get_mut(index))
            else {
                continue;
            };
            // A way that failed once is not waited for again.
            let Ok(samples) = state else { continue };
            if round > 0 && *spent > start.elapsed() / MOST_OF_TIME {
                continue;
            }
            let turn = Instant::now();
            match job.sample(way) {
                Ok(mut nanoseconds) => samples.0.append(&mut nanoseconds),
                Err(error) => *state = Err(error.to_string()),
            }
            *spent += turn.elapsed();
        }
    }
    for (way, state) in ways.iter().zip(states) {
        match state {
            Ok(samples) => measured.samples.push((way.name.to_owned(), samples)),
            Err(error) => measured.failed.push((way.name.to_owned(), error)),
        }
    }
    measured
}
