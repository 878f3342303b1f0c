//! Who may read what is secret, and who may change what decides.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::finding::{Finding, Level, Subject};
use crate::access::{self, Use};
use crate::config::Loaded;
use crate::ownership::{self, OwnershipError};

/// Mode bits of everybody.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;

pub(super) fn examine(loaded: &Loaded) -> Vec<Finding> {
    let config = &loaded.config;
    let mut findings = Vec::new();
    for path in [
        &loaded.path,
        &config.policy.file,
        &config.dns.trust_anchor,
        &config.tls.webpki_roots,
    ] {
        if !path.as_os_str().is_empty() {
            findings.extend(unseen(path));
            findings.extend(writable(path));
        }
    }
    for path in [
        &config.listen.tls_key,
        &config.access.users_file,
        &config.tlsrpt.dkim.key,
    ] {
        if !path.as_os_str().is_empty() {
            findings.extend(unseen(path));
            findings.extend(readable(path));
            findings.extend(writable(path));
        }
    }
    findings.extend(spool(&config.spool.path));
    findings.extend(state(&config.state_directory));
    if findings.is_empty() {
        let user = access::user_name(rustix::process::geteuid().as_raw());
        let found = format!("nothing is open to others, and {user} can use what the relay needs");
        findings.push(Finding::ok(Subject::Permissions, found));
    }
    findings
}

/// Of a file that this user cannot look at nobody knows; one that is missing is found elsewhere.
fn unseen(path: &Path) -> Option<Finding> {
    let error = fs::metadata(path).err()?;
    (error.kind() == ErrorKind::PermissionDenied).then(|| {
        Finding::new(
            Subject::Permissions,
            Level::Unknown,
            format!("{}: {}", path.display(), access::words(&error)),
            "run this as the user that serves: sudo -u danerelay danerelay doctor",
        )
    })
}

/// Whoever can write it decides what is sent, and to whom.
fn writable(path: &Path) -> Option<Finding> {
    let found = fs::metadata(path).ok()?;
    (found.permissions().mode() & OTHERS_WRITE != 0).then(|| {
        let shown = path.display();
        bad(
            format!("everybody can write {shown}, {}", access::owner(&found)),
            format!("chmod o-w {shown}"),
        )
    })
}

fn readable(path: &Path) -> Option<Finding> {
    let found = fs::metadata(path).ok()?;
    (found.permissions().mode() & OTHERS_READ != 0).then(|| {
        let shown = path.display();
        bad(
            format!("everybody can read {shown}, which is secret"),
            format!("chmod o-r {shown}"),
        )
    })
}

fn spool(path: &Path) -> Option<Finding> {
    let shown = path.display();
    match ownership::examine(path) {
        // Root, who only looks, finds a spool of the user that serves, as it should be.
        Ok(()) | Err(OwnershipError::Foreign { .. }) => None,
        Err(cause) => Some(bad(
            format!("the spool {shown}: {cause}"),
            format!("let the user that serves own {shown}, with mode 0750"),
        )),
    }
}

fn state(path: &Path) -> Option<Finding> {
    let found = fs::metadata(path).ok()?;
    let denied = access::denied(path, Use::Keep)?;
    let is_foreign = found.uid() != rustix::process::geteuid().as_raw();
    Some(Finding::new(
        Subject::Permissions,
        if is_foreign { Level::Unknown } else { Level::Bad },
        format!("the state directory: {denied}"),
        "run this as the user that serves: sudo -u danerelay danerelay doctor",
    ))
}

fn bad(found: String, mend: String) -> Finding {
    Finding::new(Subject::Permissions, Level::Bad, found, mend)
}
