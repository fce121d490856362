//! What an attack is.

/// A way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    /// As the table calls it.
    pub(crate) name: &'static str,
    /// What stops it, or why nothing does.
    pub(crate) why: &'static str,
    pub(crate) program: Program,
    /// Its first argument.
    pub(crate) way: &'static str,
    pub(crate) ear: Ear,
    pub(crate) who: Who,
    pub(crate) scene: Scene,
    /// What a machine must have for it; where it does not get out bare, it is skipped.
    pub(crate) needs: Option<&'static str>,
    /// With the guard off it is a race that it may win or not.
    pub(crate) luck: bool,
    /// Which error it meets is chance.
    pub(crate) any_error: bool,
}

/// A file of `programs/`, without its extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Dynamically linked: the hook is loaded into it.
    C(&'static str),
    /// Statically linked.
    Static(&'static str),
    /// Without any library.
    Nothing(&'static str),
    Python(&'static str),
    /// Built in the full tier only.
    Go(&'static str),
    /// There is none: this machine cannot try it.
    None,
}

/// Where it is heard that something came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ear {
    Tcp,
    Udp,
    /// All packets on the loopback interface; root's.
    Wire,
    /// A UNIX socket that no target may reach.
    Path,
    /// The program listens, and is connected to.
    Dial,
}

/// As whom it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anybody,
    Root,
    Unprivileged,
}

/// What else there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    Plain,
    /// A process of the same user that was there before.
    Older,
    /// Another session of the same user, with a question open.
    OtherSession,
    /// A terminal, on which the question is asked.
    Terminal,
    /// Questions stay open for some seconds.
    Patient,
}

impl Attack {
    /// One over TCP that anybody may try.
    pub(crate) const fn new(
        name: &'static str,
        program: Program,
        way: &'static str,
        why: &'static str,
    ) -> Self {
        Self {
            name,
            why,
            program,
            way,
            ear: Ear::Tcp,
            who: Who::Anybody,
            scene: Scene::Plain,
            needs: None,
            luck: false,
            any_error: false,
        }
    }

    /// One that cannot be tried here, and why it is closed all the same.
    pub(crate) const fn untried(name: &'static str, why: &'static str) -> Self {
        Self::new(name, Program::None, "", why)
    }

    pub(crate) const fn udp(mut self) -> Self {
        self.ear = Ear::Udp;
        self
    }

    pub(crate) const fn ear(mut self, ear: Ear) -> Self {
        self.ear = ear;
        self
    }

    pub(crate) const fn root(mut self) -> Self {
        self.who = Who::Root;
        self
    }

    pub(crate) const fn unprivileged(mut self) -> Self {
        self.who = Who::Unprivileged;
        self
    }

    pub(crate) const fn scene(mut self, scene: Scene) -> Self {
        self.scene = scene;
        self
    }

    pub(crate) const fn needs(mut self, what: &'static str) -> Self {
        self.needs = Some(what);
        self
    }

    pub(crate) const fn luck(mut self) -> Self {
        self.luck = true;
        self
    }

    pub(crate) const fn any_error(mut self) -> Self {
        self.any_error = true;
        self
    }
}
