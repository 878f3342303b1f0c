//! A relay whose spool lies on a disk that can lose power and fail.

use danerelay_tests::crash::trial::Trial;
use danerelay_tests::powerloss::{Disk, Mounted, Tear, unavailable};

/// Relay, load and disk.
pub(crate) struct Machine {
    pub(crate) trial: Trial,
    pub(crate) disk: Disk,
    mounted: Option<Mounted>,
}

impl Machine {
    /// Puts everything together, the relay not yet started; `None`, with a word why, where that cannot be done.
    pub(crate) fn set(name: &'static str) -> Option<Self> {
        if let Some(reason) = unavailable() {
            eprintln!("{name}: skipped, because {reason}");
            return None;
        }
        let mut machine = Self {
            trial: Trial::set(name),
            disk: Disk::default(),
            mounted: None,
        };
        machine.mount();
        Some(machine)
    }

    /// Takes the power away, now, and gives it back: the relay is dead, and the disk has lost what chance decides.
    pub(crate) fn lose_power(&mut self) {
        let tear = Tear::any(&mut self.trial.chance);
        self.lose_power_with(tear);
    }

    /// As [`Machine::lose_power`], with a say in what is lost.
    pub(crate) fn lose_power_with(&mut self, tear: Tear) {
        self.disk.cut();
        self.trial.relay.kill();
        self.mounted = None;
        self.disk.lose_power(tear, &mut self.trial.chance);
        self.mount();
    }

    fn mount(&mut self) {
        self.mounted = Some(Mounted::new(&self.disk, &self.trial.relay.spool()));
    }
}

impl Drop for Machine {
    /// The relay must be gone before the disk, and the disk before the directory.
    fn drop(&mut self) {
        self.trial.relay.kill();
        self.mounted = None;
    }
}
