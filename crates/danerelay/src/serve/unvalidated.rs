//! Names below which signatures are not required: `dns.domain_insecure` and exceptions with `dnssec = "off"` (RFC 7646).
//!
//! Exceptions begin and end with their dates, so the set is checked each minute and after each reload. Whether they have an
//! effect depends on who validates, which [`watch`](super::watch) finds out at once where that may change.

use spool::Store;

use super::daemon::Daemon;
use crate::wiring::unvalidated::today;

impl<S: Store> Daemon<S> {
    /// Puts today's names in force if they differ from those in force.
    pub(super) fn refresh_unvalidated(&mut self) {
        let names = today(&self.loaded.config.dns, &self.policy.load());
        if names != *self.unvalidated.borrow() {
            self.resolver.set_domain_insecure(&names);
            self.unvalidated.send_replace(names);
        }
    }
}
