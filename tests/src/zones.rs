//! A signed DNS tree of our own: the root, `test.`, and the zones below it.
//!
//! BIND's tools make the keys and the signatures, Knot serves the result, so that the resolver and the relay
//! meet two implementations. Records of the lower zones live for one second: a mended zone is seen at once; [`Zone::lasting`] is for
//! who does not mend.

use crate::process::{Daemon, command, run};
use crate::wait;
use std::cell::OnceCell;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the authoritative server listens, port 53.
pub const SERVER: &str = "127.0.0.53";
/// And where another has the same zones without a signature.
pub const BARE_SERVER: &str = "127.0.0.55";

/// In seconds.
const HOUR: u32 = 3600;

/// A zone directly below `test.`.
pub struct Zone {
    name: String,
    signing: Signing,
    records: Vec<String>,
    ttl: u32,
}

/// What a validator will find out about a zone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    /// Signed, and the parent vouches for the key: secure.
    Signed,
    /// No signatures, and the parent proves that none are due: insecure.
    Unsigned,
    /// Signed, but the parent vouches for another key: bogus.
    Broken,
}

impl Zone {
    /// A signed zone with these records, in zone-file form relative to the zone's name.
    pub fn signed(name: &str, records: &[String]) -> Self {
        Self {
            name: name.to_owned(),
            signing: Signing::Signed,
            records: records.to_vec(),
            ttl: 1,
        }
    }

    /// A zone delegated without DS records.
    pub fn unsigned(name: &str, records: &[String]) -> Self {
        Self {
            signing: Signing::Unsigned,
            ..Self::signed(name, records)
        }
    }

    /// A signed zone whose DS record at the parent belongs to no key.
    pub fn broken(name: &str, records: &[String]) -> Self {
        Self {
            signing: Signing::Broken,
            ..Self::signed(name, records)
        }
    }

    /// The same with records, and proofs that there are none, that a resolver may keep for an hour.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { ttl: HOUR, ..self }
    }
}

/// The tree and the server that serves it.
pub struct Tree {
    directory: PathBuf,
    serial: u32,
    zones: Vec<String>,
    _server: Daemon,
    bare: OnceCell<Daemon>,
}

impl Tree {
    /// Signs everything, lowest zones first, and serves it.
    pub fn serve(directory: &Path, zones: &[Zone]) -> Self {
        let directory = directory.join("zones");
        fs::create_dir_all(directory.join("keys")).unwrap();
        let serial = 1;
        let mut delegations = Vec::new();
        for zone in zones {
            make_key(&directory, zone);
            publish(&directory, zone, serial);
            delegations.push(format!("{}. NS ns.test.", zone.name));
            if zone.signing == Signing::Broken {
                let ds_file = directory.join(format!("dsset-{}.", zone.name));
                fs::write(ds_file, format!("{}. DS 1 13 2 {}\n", zone.name, "00".repeat(32))).unwrap();
            }
        }
        let address = format!("ns.test. A {SERVER}");
        delegations.push(address.clone());
        let top = Zone::signed("test", &delegations).lasting();
        let root = Zone::signed("", &["test. NS ns.test.".to_owned(), address]).lasting();
        for zone in [&top, &root] {
            make_key(&directory, zone);
            publish(&directory, zone, serial);
        }
        let zones = zones.iter().chain([&top, &root]);
        let zones: Vec<String> = zones.map(|zone| zone.name.clone()).collect();
        let server = start_server(&directory, SERVER, "zone", &zones);
        Self {
            directory,
            serial,
            zones,
            _server: server,
            bare: OnceCell::new(),
        }
    }

    /// Has another server answer too, at [`BARE_SERVER`], as if the signatures were lost on the way.
    pub fn serve_bare(&self) {
        self.bare
            .get_or_init(|| start_server(&self.directory, BARE_SERVER, "bare", &self.zones));
    }

    /// The file with the root's DS record: the private trust anchor.
    pub fn trust_anchor(&self) -> PathBuf {
        self.directory.join("dsset-.")
    }

    /// The file that tells a resolver where the root is.
    pub fn root_hints(&self) -> PathBuf {
        let path = self.directory.join("root.hints");
        fs::write(&path, format!(". 3600 NS ns.test.\nns.test. 3600 A {SERVER}\n")).unwrap();
        path
    }

    /// Replaces a zone's records while the server runs.
    pub fn replace(&mut self, zone: &Zone) {
        self.serial += 1;
        publish(&self.directory, zone, self.serial);
        let origin = format!("{}.", zone.name);
        run(control(&self.directory).args(["--blocking", "zone-reload", &origin]));
    }
}

fn make_key(directory: &Path, zone: &Zone) {
    if zone.signing != Signing::Unsigned {
        // One key signs the whole zone, so that only it has to be vouched for by the parent.
        let origin = format!("{}.", zone.name);
        run(command("dnssec-keygen")
            .args(["-q", "-K", "keys", "-a", "ECDSAP256SHA256", "-f", "KSK", &origin])
            .current_dir(directory));
    }
}

/// Writes the zone's file as it will be served; signing it leaves its DS record where the parent's signing finds it.
fn publish(directory: &Path, zone: &Zone, serial: u32) {
    let origin = format!("{}.", zone.name);
    let ttl = zone.ttl;
    let mut text = format!("$ORIGIN {origin}\n$TTL {ttl}\n");
    writeln!(
        text,
        "@ SOA ns.test. hostmaster.test. {serial} 1800 900 604800 {ttl}\n@ NS ns.test."
    )
    .unwrap();
    for record in &zone.records {
        writeln!(text, "{record}").unwrap();
    }
    fs::write(directory.join(zone_file(&zone.name, "bare")), &text).unwrap();
    let served = zone_file(&zone.name, "zone");
    if zone.signing == Signing::Unsigned {
        fs::write(directory.join(served), text).unwrap();
        return;
    }
    fs::write(directory.join("unsigned"), text).unwrap();
    run(command("dnssec-signzone")
        .args([
            "-z", "-S", "-g", "-K", "keys", "-d", ".", "-o", &origin, "-f", &served, "unsigned",
        ])
        .current_dir(directory));
}

fn zone_file(name: &str, kind: &str) -> String {
    format!("{}.{kind}", if name.is_empty() { "root" } else { name })
}

/// A server of the zone files of this kind.
fn start_server(directory: &Path, address: &str, kind: &str, names: &[String]) -> Daemon {
    let place = directory.display();
    let mut configuration = format!(
        "server:\n  rundir: {place}\n  listen: {address}@53\n  pidfile: {kind}.pid\n\
         control:\n  listen: {place}/{kind}.sock\n\
         database:\n  storage: {place}/db-{kind}\n\
         log:\n  - target: stderr\n    any: info\n\
         template:\n  - id: default\n    storage: {place}\n    zonefile-sync: -1\n    journal-content: none\n\
         zone:\n"
    );
    for name in names {
        let file = zone_file(name, kind);
        writeln!(configuration, "  - domain: {name}.\n    file: {file}").unwrap();
    }
    let file = directory.join(format!("knot-{kind}.conf"));
    fs::write(&file, configuration).unwrap();
    let log = directory.with_file_name(format!("knot-{kind}.log"));
    let server = Daemon::start(command("knotd").arg("-c").arg(file), &log);
    wait::until_listening("Knot", format!("{address}:53").parse().unwrap());
    server
}

fn control(directory: &Path) -> std::process::Command {
    let mut control = command("knotc");
    control.arg("-s").arg(directory.join("zone.sock"));
    control
}
