//! How destinations do, for people to look at.

/// All destinations that something waits for, or of which something is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// How many there are.
    pub destinations: u64,
    /// How many of them fail, and are only probed.
    pub failing: u64,
    /// What waits for all of them: a message counts once for each of its next hops.
    pub waiting: u64,
    /// Open connections to receiving servers.
    pub connections: u64,
    /// Those with most deliveries in progress, most first; then those that fail, and those with the most waiting.
    pub busiest: Vec<DestinationStanding>,
}

/// How one destination does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationStanding {
    /// Where its mail goes.
    pub next_hop: String,
    /// Deliveries in progress.
    pub active: u64,
    /// How many there may be at once.
    pub window: u64,
    /// What waits.
    pub waiting: u64,
    /// Whether it fails, and is only probed now and then.
    pub is_failing: bool,
    /// While it fails: why it failed last, in the words of the log.
    pub reason: Option<String>,
}

/// The same, while it is still being looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glimpse<'a> {
    pub(super) active: u64,
    /// `None` if nothing is known but that something waits.
    pub(super) window: Option<u64>,
    pub(super) waiting: u64,
    pub(super) is_failing: bool,
    pub(super) reason: Option<&'a str>,
}

impl Glimpse<'_> {
    /// Whether more is known than that something waits.
    pub(super) fn is_of_note(&self) -> bool {
        self.window.is_some()
    }

    /// What makes it worth looking at.
    pub(super) fn rank(&self) -> (u64, bool, u64) {
        (self.active, self.is_failing, self.waiting)
    }

    pub(super) fn of(self, next_hop: String) -> DestinationStanding {
        DestinationStanding {
            next_hop,
            active: self.active,
            window: self.window.unwrap_or_default(),
            waiting: self.waiting,
            is_failing: self.is_failing,
            reason: self.reason.map(str::to_owned),
        }
    }
}
