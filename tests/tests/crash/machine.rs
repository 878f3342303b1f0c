//! A relay whose spool lies on a disk that can lose power and fail.

use danerelay_tests::crash::trial::Trial;
use danerelay_tests::powerloss::{Disk, Disks, Mounted, Tear, with_disks};

/// Relay, load and disk.
pub(crate) struct Machine<'a> {
    pub(crate) trial: Trial,
    pub(crate) disk: Disk,
    disks: &'a Disks,
    mounted: Option<Mounted>,
}

/// Runs `story` with a machine whose relay is not yet started. If that is not possible, it says why and does nothing. `test`
/// is the name of the calling test function.
pub(crate) fn with_machine(test: &'static str, story: impl FnOnce(&mut Machine<'_>)) {
    with_disks(test, |disks| {
        let mut machine = Machine {
            trial: Trial::set(test),
            disk: Disk::default(),
            disks,
            mounted: None,
        };
        machine.mount();
        story(&mut machine);
    });
}

impl Machine<'_> {
    /// Cuts the power now, and restores it: the relay is dead, and the disk has lost what chance decides.
    pub(crate) fn lose_power(&mut self) {
        let tear = Tear::any(&mut self.trial.chance);
        self.lose_power_with(tear);
    }

    /// Like [`Machine::lose_power`], but the caller decides what is lost.
    pub(crate) fn lose_power_with(&mut self, tear: Tear) {
        self.disk.cut();
        self.trial.relay.kill();
        self.mounted = None;
        self.disk.lose_power(tear, &mut self.trial.chance);
        self.mount();
    }

    fn mount(&mut self) {
        self.mounted = Some(self.disks.mount(&self.disk, &self.trial.relay.spool()));
    }
}

impl Drop for Machine<'_> {
    /// The relay must be gone before the disk, and the disk before the directory.
    fn drop(&mut self) {
        self.trial.relay.kill();
        self.mounted = None;
    }
}
