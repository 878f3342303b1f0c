//! Whether the resolver validates: the daemon's own self-test, now.

use dns::Mode;
use dns::self_test::{self, Fault};
use tokio::time::Instant;

use super::finding::{Finding, Level, Subject};
use super::patient::Patient;
use crate::wiring::resolver::{mode_word, names};

/// Tests it as the daemon would; also returns whether look-ups can be relied on.
pub(super) async fn examine(patient: &Patient<'_>) -> (Finding, bool) {
    let (resolver, choice) = (patient.resolver, patient.choice);
    let names = names(&patient.loaded.config.dns);
    let mut reason = choice.reason.clone();
    let began = Instant::now();
    let tested = if choice.is_vouched_for && !resolver.has_domain_insecure() {
        match self_test::run_as(resolver, Mode::TrustAd, &names).await {
            Ok(()) => resolver
                .set_mode(Mode::TrustAd)
                .map_err(|error| error.to_string()),
            Err(disbelief) => {
                reason = format!("{reason}, but: {disbelief}");
                run(patient, &names).await
            }
        }
    } else {
        run(patient, &names).await
    };
    let servers = match resolver.servers().as_slice() {
        [] => "no servers".to_owned(),
        servers => servers.join(", "),
    };
    let mode = mode_word(resolver.mode());
    match tested {
        Ok(()) => {
            let took = began.elapsed().as_millis();
            let found = format!("{mode} ({reason}), asking {servers}; the self-test passed in {took} ms");
            (Finding::ok(Subject::Resolver, found), true)
        }
        Err(fault) => {
            let found = format!("{mode} ({reason}), asking {servers}: {fault}");
            let mend = "mail waits until this is mended; run a validating resolver such as Unbound on this machine, and see \
                        docs/dns.md";
            (Finding::new(Subject::Resolver, Level::Bad, found, mend), false)
        }
    }
}

async fn run(patient: &Patient<'_>, names: &self_test::Names) -> Result<(), String> {
    let tested = self_test::run(patient.resolver, names).await;
    tested.map_err(|fault: Fault| fault.to_string())
}
