//! Whether the clock can be right: signatures, certificates and the queue all depend on it.
//!
//! Nobody is asked for the time. Three things are known without that: who keeps the clock, by the system's own account; what has
//! been signed, made or written cannot be in the future: the root's signature, the certificates of servers that answered, this
//! machine's own files.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use dane::CertificateSummary;
use delivery::probe::Look;
use jiff::Timestamp;
use mail::Domain;
use tokio::process::Command;
use tokio::time::timeout;

use super::finding::{Finding, Level, Subject};
use super::patient::Patient;

/// How long a program may take that knows who keeps the clock.
const PATIENCE: Duration = Duration::from_secs(3);
/// What may be in the future by the tolerance of others, in seconds.
const TOLERANCE: i64 = 300;

/// Whether somebody keeps the clock.
enum Kept {
    /// Somebody does: who.
    By(&'static str),
    /// Nobody does, according to the system.
    Not(&'static str),
    /// Nothing is known.
    Unknown,
}

pub(super) async fn examine(patient: &Patient<'_>, seen: &[Look], dns_works: bool) -> Finding {
    let now = Timestamp::now();
    let mut evidence = certificates(seen);
    evidence.extend(files(patient));
    if dns_works {
        evidence.extend(signature(patient).await);
    }
    let time = now.strftime("%Y-%m-%d %H:%M:%S UTC");
    let ahead = evidence
        .iter()
        .find(|(_, at)| at.as_second().saturating_sub(now.as_second()) > TOLERANCE);
    if let Some((what, at)) = ahead {
        let found = format!(
            "it is {time} here, and {what} is from {}",
            at.strftime("%Y-%m-%d %H:%M:%S UTC")
        );
        return Finding::new(Subject::Clock, Level::Bad, found, MEND);
    }
    match kept().await {
        Kept::By(who) => Finding::ok(
            Subject::Clock,
            format!("{time}, kept by {who}; nothing speaks against it"),
        ),
        Kept::Not(who) => Finding::new(
            Subject::Clock,
            Level::Warn,
            format!("{time}; according to {who} nobody keeps the clock"),
            MEND,
        ),
        Kept::Unknown => Finding::new(
            Subject::Clock,
            Level::Warn,
            format!("{time}, which nothing speaks against; who keeps the clock is not known"),
            "if this machine has a clock of its own, let chrony or systemd-timesyncd keep it",
        ),
    }
}

const MEND: &str = "let chrony or systemd-timesyncd keep the clock: with a wrong one signatures in the DNS and certificates fail";

/// Who keeps the clock, as far as the system says.
async fn kept() -> Kept {
    match said("timedatectl", &["show", "--property=NTPSynchronized", "--value"])
        .await
        .as_deref()
    {
        Some("yes") => return Kept::By("the system (timedatectl)"),
        Some("no") => return Kept::Not("timedatectl"),
        Some(_) | None => {}
    }
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Kept::By("systemd-timesyncd");
    }
    // Its sixteenth field is the leap status.
    match said("chronyc", &["-c", "tracking"]).await {
        Some(line) if line.ends_with("Not synchronised") => Kept::Not("chronyc"),
        Some(line) if line.contains(',') => Kept::By("chrony"),
        Some(_) | None => Kept::Unknown,
    }
}

/// What a program prints, if it is there and ends well.
async fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, running).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && text.len() < 1000).then(|| text.trim().to_owned())
}

/// Since when the certificates of servers that answered are valid.
fn certificates(seen: &[Look]) -> Vec<(String, Timestamp)> {
    let leaves = seen.iter().filter_map(|look| look.chain.first());
    let of = |certificate| {
        let summary = CertificateSummary::of(certificate)?;
        let name = summary.names.first().unwrap_or(&summary.subject).clone();
        let at = Timestamp::from_second(summary.not_before).ok()?;
        Some((format!("the certificate of {name}"), at))
    };
    leaves.filter_map(of).collect()
}

/// When this machine's own files were written.
fn files(patient: &Patient<'_>) -> Vec<(String, Timestamp)> {
    let config = &patient.loaded.config;
    let program = std::env::current_exe().ok();
    let paths = [
        Some(patient.loaded.path.clone()),
        program,
        Some(config.spool.path.clone()),
    ];
    let written = |path: &Path| -> Option<Timestamp> {
        let modified: SystemTime = path.metadata().ok()?.modified().ok()?;
        Timestamp::try_from(modified).ok()
    };
    let paths = paths.into_iter().flatten();
    paths
        .filter_map(|path| Some((path.display().to_string(), written(&path)?)))
        .collect()
}

/// When the signature of a name that the resolver is tested with was made, or of our own.
async fn signature(patient: &Patient<'_>) -> Option<(String, Timestamp)> {
    let names = crate::wiring::resolver::names(&patient.loaded.config.dns);
    let name: &Domain = names.secure.first().unwrap_or(patient.hostname);
    let answer = patient.resolver.text(name.as_str(), "SOA").await.ok()?.ok()?;
    let signed = answer.signed?;
    Some((format!("the signature over {name}"), signed.inception))
}
