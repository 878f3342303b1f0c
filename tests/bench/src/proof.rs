//! That DANE was verified on every delivery, by what the relay itself has logged.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::arrivals::Seen;
use crate::contender::Contender;

/// How long a log may take to be complete.
const STEP: Duration = Duration::from_millis(100);
const LOOKS: usize = 100;

/// Waits until the log says that all messages the sink has seen were delivered with DANE.
///
/// # Errors
/// How many were not.
pub(crate) fn wait_for(contender: Contender, log: &Path, seen: &Seen) -> Result<(), String> {
    let mut missing = String::new();
    for _ in 0..LOOKS {
        let text = fs::read(log).unwrap_or_default();
        match check(contender, &String::from_utf8_lossy(&text), seen) {
            Ok(()) => return Ok(()),
            Err(found) => missing = found,
        }
        sleep(STEP);
    }
    Err(missing)
}

fn check(contender: Contender, log: &str, seen: &Seen) -> Result<(), String> {
    match contender {
        Contender::Postfix | Contender::PostfixReuse => postfix(log, seen),
        Contender::Exim => deliveries(log, seen, exim),
        Contender::Danerelay => deliveries(log, seen, danerelay),
    }
}

/// Postfix says of each TLS session, not of each message, whether it is verified. The sink takes nothing without TLS: if all
/// of its sessions are verified ones, so is every message. With TLS reuse tlsproxy says it, too, once more.
fn postfix(log: &str, seen: &Seen) -> Result<(), String> {
    let established: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("/smtp[") && line.contains(" TLS connection established to "))
        .collect();
    let verified = established
        .iter()
        .filter(|line| line.contains(" Verified TLS connection established "))
        .count();
    let sent = log.lines().filter(|line| line.contains(", status=sent ")).count();
    if verified == established.len() && verified == seen.tls_sessions && sent == seen.messages {
        return Ok(());
    }
    Err(format!(
        "{verified} of {} TLS sessions verified, the sink has seen {}; {sent} of {} messages sent",
        established.len(),
        seen.tls_sessions,
        seen.messages
    ))
}

/// The others say it of each message. `is_verified` is none for lines that are about something else.
fn deliveries(log: &str, seen: &Seen, is_verified: impl Fn(&str) -> Option<bool>) -> Result<(), String> {
    let found: Vec<bool> = log.lines().filter_map(is_verified).collect();
    let verified = found.iter().filter(|&&verified| verified).count();
    if verified == found.len() && verified == seen.messages {
        return Ok(());
    }
    Err(format!(
        "{verified} of {} deliveries verified, the sink has seen {}",
        found.len(),
        seen.messages
    ))
}

fn exim(line: &str) -> Option<bool> {
    let is_delivery = line.contains(" => ") || line.contains(" -> ");
    is_delivery.then(|| line.contains(" CV=dane "))
}

fn danerelay(line: &str) -> Option<bool> {
    let is_delivery = line.contains(" status=sent,");
    is_delivery.then(|| line.contains(" dane=\"Verify (Secure TLSA RRs found)\","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Arrivals;

    fn seen() -> Seen {
        let arrivals = Arrivals::expect(1, true);
        arrivals.tls_session();
        arrivals.message(Some(0), Some(0));
        arrivals.seen()
    }

    #[test]
    fn a_delivery_that_was_not_verified_is_found() {
        let cases = [
            (
                Contender::Postfix,
                "postfix/smtp[1]: Verified TLS connection established to mx.d0.test[192.0.2.1]:25: TLSv1.3\n\
                 postfix/tlsproxy[2]: Verified TLS connection established to mx.d0.test[192.0.2.1]:25: TLSv1.3\n\
                 postfix/smtp[1]: 1234: to=<m0@d0.test>, relay=mx.d0.test[192.0.2.1]:25, dsn=2.0.0, status=sent (250 2.0.0 Taken)\n",
                "Verified",
                "Untrusted",
            ),
            (
                Contender::Exim,
                "1 => m0@d0.test R=mx T=remote H=mx.d0.test [192.0.2.1] X=TLS1.3 CV=dane C=\"250 Taken\"\n",
                "CV=dane",
                "CV=no",
            ),
            (
                Contender::Danerelay,
                "id=1, to=m0@d0.test, dane=\"Verify (Secure TLSA RRs found)\", dsn=250, status=sent, reply=Ok\n",
                "Verify (Secure TLSA RRs found)",
                "No TLSA",
            ),
        ];
        for (contender, log, good, bad) in cases {
            assert_eq!(check(contender, log, &seen()), Ok(()));
            assert!(
                check(contender, &log.replace(good, bad), &seen()).is_err(),
                "{contender:?}"
            );
            assert!(check(contender, "", &seen()).is_err(), "{contender:?}");
        }
    }
}
