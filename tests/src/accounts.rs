//! Accounts that exist in one arena only: mail servers have the names of theirs compiled in.

use crate::process::{command, run};
use std::fs;
use std::path::Path;

/// Gives this arena an account and a group of this name and number, once.
pub fn add(directory: &Path, name: &str, number: u32) {
    let added = [
        (
            "passwd",
            format!("{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"),
        ),
        ("group", format!("{name}:x:{number}:\n")),
    ];
    for (file, line) in added {
        let [system, own] = [Path::new("/etc"), directory].map(|place| place.join(file));
        let known = fs::read_to_string(&system).unwrap();
        if known.split_inclusive('\n').any(|one| one == line) {
            continue;
        }
        let is_mounted = own.exists();
        // At the beginning, where it precedes an account of the system's.
        fs::write(&own, line + &known).unwrap();
        if !is_mounted {
            run(command("mount").arg("--bind").arg(own).arg(system));
        }
    }
}
