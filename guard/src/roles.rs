//! The two things that must always be done by somebody, receiving calls and carrying on those that
//! wait, and who does them when their thread is stuck.
//!
//! Neither ever waits on purpose, but a path on a dead file server, a slow callback or a target
//! that fights could hold a thread up. A watchdog sees a turn that takes too long and gives the
//! role to a new thread; the old one ends when its turn does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// A turn that is seen unfinished at two looks in a row has taken too long.
const LOOK: Duration = Duration::from_millis(3);
/// After so many looks at nothing the watchdog sleeps until the next turn.
const QUIET_LOOKS: u32 = 30;
/// Threads that may be stuck at once.
const STUCK_MAX: usize = 200;

/// One thread's hold on a role.
#[derive(Debug, Default)]
pub(crate) struct Holder {
    /// Odd during a turn.
    turn: AtomicU64,
    replaced: AtomicBool,
}

/// A role, and what its next thread runs.
struct Role {
    name: &'static str,
    holder: Arc<Holder>,
    seen: u64,
    work: Arc<Work>,
}

type Work = dyn Fn(&Holder, &Roles) + Send + Sync;

/// All roles and their watchdog.
#[derive(Clone)]
pub(crate) struct Roles {
    shared: Arc<Shared>,
}

struct Shared {
    roles: Mutex<Vec<Role>>,
    asleep: AtomicBool,
    watchdog: Mutex<Option<Thread>>,
    stuck: AtomicUsize,
    ended: AtomicBool,
}

impl Holder {
    /// Runs one turn. False: the role is somebody else's by now.
    pub(crate) fn turn(&self, roles: &Roles, work: impl FnOnce()) -> bool {
        self.turn.fetch_add(1, Ordering::SeqCst);
        if roles.shared.asleep.load(Ordering::SeqCst) {
            roles.wake();
        }
        work();
        self.turn.fetch_add(1, Ordering::SeqCst);
        !self.replaced.load(Ordering::SeqCst)
    }

    /// Whether the role is somebody else's.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::SeqCst)
    }
}

impl Roles {
    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                roles: Mutex::new(Vec::new()),
                asleep: AtomicBool::new(false),
                watchdog: Mutex::new(None),
                stuck: AtomicUsize::new(0),
                ended: AtomicBool::new(false),
            }),
        }
    }

    /// Adds a role and starts its thread, which runs `work` until that returns.
    pub(crate) fn add(
        &self,
        name: &'static str,
        work: impl Fn(&Holder, &Roles) + Send + Sync + 'static,
    ) -> std::io::Result<()> {
        let role = Role {
            name,
            holder: Arc::default(),
            seen: 0,
            work: Arc::new(work),
        };
        self.start(&role)?;
        self.roles().push(role);
        Ok(())
    }

    /// Starts the watchdog.
    pub(crate) fn watch(&self) -> std::io::Result<()> {
        let roles = self.clone();
        let watchdog = thread::Builder::new()
            .name("guard-watch".to_owned())
            .spawn(move || roles.run_watchdog())?;
        let mut place = self
            .shared
            .watchdog
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *place = Some(watchdog.thread().clone());
        Ok(())
    }

    /// The roles end: nobody is replaced any more, and the watchdog goes.
    pub(crate) fn end(&self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        let place = self.shared.watchdog.lock();
        if let Some(watchdog) = &*place.unwrap_or_else(PoisonError::into_inner) {
            watchdog.unpark();
        }
    }

    fn roles(&self) -> std::sync::MutexGuard<'_, Vec<Role>> {
        self.shared
            .roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, role: &Role) -> std::io::Result<()> {
        let (roles, holder, work) = (
            self.clone(),
            Arc::clone(&role.holder),
            Arc::clone(&role.work),
        );
        thread::Builder::new()
            .name(role.name.to_owned())
            .spawn(move || {
                work(&holder, &roles);
                if holder.is_replaced() {
                    roles.shared.stuck.fetch_sub(1, Ordering::SeqCst);
                }
            })
            .map(drop)
    }

    fn run_watchdog(&self) {
        let mut quiet = 0;
        while !self.has_ended() {
            if self.look() {
                quiet = 0;
            } else {
                quiet += 1;
            }
            if quiet < QUIET_LOOKS {
                thread::sleep(LOOK);
                continue;
            }
            self.shared.asleep.store(true, Ordering::SeqCst);
            // A turn that began before the flag was up is seen now; a later one wakes us.
            if !self.look() {
                thread::park_timeout(Duration::from_secs(5));
            }
            self.shared.asleep.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }

    /// True where something has happened since the last look.
    fn look(&self) -> bool {
        let mut active = false;
        for role in self.roles().iter_mut() {
            let turn = role.holder.turn.load(Ordering::SeqCst);
            let is_stuck = turn % 2 == 1 && turn == role.seen;
            active |= turn != role.seen || turn % 2 == 1;
            role.seen = turn;
            if is_stuck && self.shared.stuck.load(Ordering::SeqCst) < STUCK_MAX {
                self.replace(role);
            }
        }
        active
    }

    fn replace(&self, role: &mut Role) {
        let old = std::mem::take(&mut role.holder);
        role.seen = 0;
        // First the new one: a role with two threads does no harm, one with none would.
        if self.start(role).is_ok() {
            self.shared.stuck.fetch_add(1, Ordering::SeqCst);
            old.replaced.store(true, Ordering::SeqCst);
        } else {
            role.holder = old;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Roles;
    use std::sync::mpsc;
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    #[test]
    fn a_stuck_turn_costs_the_role() {
        let roles = Roles::new();
        let (work, inbox) = mpsc::channel::<Duration>();
        let (done, outbox) = mpsc::channel();
        let (inbox, done) = (Arc::new(Mutex::new(inbox)), Mutex::new(done));
        let role = {
            let inbox = Arc::clone(&inbox);
            move |holder: &super::Holder, roles: &Roles| {
                loop {
                    let next = inbox.lock().unwrap().recv();
                    let Ok(next) = next else { return };
                    let say = done.lock().unwrap().clone();
                    let go_on = holder.turn(roles, || {
                        std::thread::sleep(next);
                        say.send((next, std::thread::current().id())).unwrap();
                    });
                    if !go_on {
                        return;
                    }
                }
            }
        };
        roles.add("test", role).unwrap();
        roles.watch().unwrap();
        // Long enough for the watchdog to fall asleep.
        std::thread::sleep(Duration::from_millis(200));
        let begun = Instant::now();
        work.send(Duration::from_secs(1)).unwrap();
        for _ in 0..3 {
            work.send(Duration::ZERO).unwrap();
        }
        let mut threads = Vec::new();
        for _ in 0..3 {
            let (slept, thread) = outbox.recv().unwrap();
            assert_eq!(slept, Duration::ZERO);
            threads.push(thread);
        }
        assert!(begun.elapsed() < Duration::from_millis(700));
        let (slept, stuck) = outbox.recv().unwrap();
        assert_eq!(slept, Duration::from_secs(1));
        assert!(!threads.contains(&stuck));
        roles.end();
        drop(work);
    }
}
