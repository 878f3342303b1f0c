//! Delivery status notifications, read by a parser that is not ours.

use crate::process::command;
use crate::server::Receive;
use crate::wait;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::Stdio;

const READER: &str = include_str!("read_report.py");

/// Waits until the mailboxes of this server hold a report that mentions `token`, and returns what Python's mail parser
/// reads in it.
pub fn receive(server: &dyn Receive, token: &str) -> Value {
    let maildir = server.maildir();
    let report = wait::until(&format!("a report that mentions {token}"), || {
        let entries = fs::read_dir(maildir.join("new")).ok()?;
        entries
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .find(|text| {
                let text = String::from_utf8_lossy(text);
                text.contains("report-type=") && text.contains(token)
            })
    });
    read(&report)
}

/// What Python's mail parser reads in a report: its header, its parts, and the fields for machines.
///
/// # Panics
/// Where it finds no report.
pub fn read(report: &[u8]) -> Value {
    let mut python = command("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut input = python.stdin.take().unwrap();
    input.write_all(report).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "no report that Python can read:\n{}",
        String::from_utf8_lossy(report)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
