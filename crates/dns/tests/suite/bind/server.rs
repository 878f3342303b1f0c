//! Zones signed and served by BIND: a signer that shares nothing with us.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dns::{Mode, ResolverConfig, TrustAnchors};

use crate::common::Client;

/// One zone to be signed; children come before their parents, the root last.
pub struct Zone {
    /// With the last dot.
    pub apex: &'static str,
    /// As `dnssec-keygen -a` takes them, one key each; a zone without any is not signed.
    pub algorithms: Option<&'static str>,
    /// More words for `dnssec-signzone`.
    pub options: &'static [&'static str],
    pub delegation: Delegation,
    /// Lines of the zone besides SOA, NS and the common records.
    pub extra: &'static str,
}

/// What the parent says about the child's keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Delegation {
    Proper,
    /// None: an island of security if the zone is signed.
    NoDs,
    /// With a digest of another type, as `dnssec-dsfromkey -a` takes it.
    Digest(&'static str),
    /// The digest of no key.
    WrongDigest,
    /// Of a digest type that nobody knows.
    UnknownDigest,
    /// For an algorithm that nobody knows.
    UnknownAlgorithm,
    /// One that nobody knows beside the proper one.
    OneUnknown,
}

/// The records that every zone has, relative to its apex.
const COMMON: &str = "\
mx A 192.0.2.1
_25._tcp.mx TLSA 3 1 1 00
*.wild A 192.0.2.2
real.wild A 192.0.2.3
*._tcp.star TLSA 3 1 1 01
deep.ent A 192.0.2.4
moved DNAME mx-zone.test.
mixed DNAME MX-Zone.TEST.
";

/// A name server with all zones; it ends with the value.
pub struct Bind {
    process: Child,
    address: SocketAddr,
    anchors: TrustAnchors,
    directory: tempfile::TempDir,
}

impl Drop for Bind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Bind {
    /// Nothing where BIND is not installed, or where the system keeps it out of this test's files.
    pub async fn start(zones: &[Zone]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut configuration = String::new();
        let mut anchors = String::new();
        let mut delegations: Vec<(&str, String)> = Vec::new();
        for zone in zones {
            let ds = sign(path, zone, &delegations)?;
            delegations.push((zone.apex, delegation(zone, &ds)));
            writeln!(
                configuration,
                "zone \"{}\" {{ type primary; file \"{}\"; }};",
                zone.apex,
                file(zone)
            )
            .unwrap();
            anchors = ds;
        }
        let port = testworld::mail::free_port_on(&[Ipv4Addr::LOCALHOST.into()]).unwrap();
        let options = format!(
            "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
             recursion no; dnssec-validation no; empty-zones-enable no; pid-file none; session-keyfile none; \
             notify no; check-integrity no; }};\ncontrols {{ }};\n{configuration}",
            path.display()
        );
        std::fs::write(path.join("named.conf"), options).unwrap();
        let log = std::fs::File::create(path.join("log")).unwrap();
        let process = Command::new("named")
            .args(["-g", "-n", "1", "-c"])
            .arg(path.join("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .ok()?;
        let bind = Self {
            process,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            anchors: TrustAnchors::parse(&anchors).unwrap(),
            directory,
        };
        bind.answers().await.then_some(bind)
    }

    /// Validates what the server says.
    pub fn resolver(&self) -> Client {
        Client::new(ResolverConfig {
            mode: Mode::Validate,
            servers: vec![self.address.into()],
            trust_anchors: self.anchors.clone(),
            domain_insecure: Vec::new(),
            timeout: Duration::from_secs(5),
            cache_entries: 1000,
            sockets: 256,
        })
    }

    async fn answers(&self) -> bool {
        for _ in 0..100 {
            if self.resolver().text(".", "SOA").await.unwrap().is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap();
        assert!(log.contains("permission denied"), "named does not answer: {log}");
        false
    }
}

/// Signs one zone and gives the DS records of its key; empty for an unsigned zone.
fn sign(directory: &Path, zone: &Zone, delegations: &[(&str, String)]) -> Option<String> {
    let mut text = format!(
        "$TTL 300\n$ORIGIN {}\n@ SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 300\n@ NS mx\n{COMMON}{}",
        zone.apex, zone.extra
    );
    for (child, lines) in delegations {
        if parent(child) == zone.apex && *child != "." {
            writeln!(text, "{child} NS ns.invalid.\n{lines}").unwrap();
        }
    }
    let plain = directory.join(format!("{}plain", zone.apex));
    let Some(algorithms) = zone.algorithms else {
        std::fs::write(directory.join(file(zone)), text).unwrap();
        return Some(String::new());
    };
    let mut keys = Vec::new();
    for algorithm in algorithms.split_whitespace() {
        let key = new_key(directory, zone.apex, algorithm)?;
        text += &std::fs::read_to_string(directory.join(format!("{key}.key"))).unwrap();
        keys.push(key);
    }
    std::fs::write(&plain, text).unwrap();
    let signed = Command::new("dnssec-signzone")
        .current_dir(directory)
        .args(["-q", "-P", "-z", "-o", zone.apex, "-f", &file(zone)])
        .args(zone.options)
        .arg(&plain)
        .args(&keys)
        .output()
        .ok()?;
    assert!(
        signed.status.success(),
        "{}: {}",
        zone.apex,
        String::from_utf8_lossy(&signed.stderr)
    );
    if let Delegation::Digest(kind) = zone.delegation {
        let mut made = Command::new("dnssec-dsfromkey");
        made.current_dir(directory).args(["-a", kind]).args(&keys);
        return Some(String::from_utf8(made.output().ok()?.stdout).unwrap());
    }
    let set: PathBuf = directory.join(format!("dsset-{}", zone.apex));
    Some(std::fs::read_to_string(set).unwrap())
}

/// The name of a new key's files.
fn new_key(directory: &Path, apex: &str, algorithm: &str) -> Option<String> {
    let mut keygen = Command::new("dnssec-keygen");
    keygen
        .args(["-q", "-f", "KSK", "-a", algorithm, "-K"])
        .arg(directory);
    if algorithm.starts_with("RSA") {
        keygen.args(["-b", "2048"]);
    }
    let made = keygen.arg(apex).output().ok()?;
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(!key.is_empty(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(key)
}

/// The DS lines that the parent gets, made from the proper ones.
fn delegation(zone: &Zone, ds: &str) -> String {
    let Some(line) = ds.lines().next() else {
        return String::new();
    };
    let fields: Vec<&str> = line.split_whitespace().collect();
    let position = fields.iter().position(|field| *field == "DS").unwrap();
    let (tag, algorithm, digest) = (
        fields.get(position + 1).unwrap(),
        fields.get(position + 2).unwrap(),
        fields.get(position + 4..).unwrap().concat(),
    );
    let changed = |algorithm: &str, kind: u8, digest: &str| {
        format!("{} DS {tag} {algorithm} {kind} {digest}\n", zone.apex)
    };
    match zone.delegation {
        Delegation::Proper | Delegation::Digest(_) => ds.to_owned(),
        Delegation::NoDs => String::new(),
        Delegation::WrongDigest => changed(algorithm, 2, &"0".repeat(64)),
        Delegation::UnknownDigest => changed(algorithm, 99, &digest),
        Delegation::UnknownAlgorithm => changed("250", 2, &digest),
        Delegation::OneUnknown => ds.to_owned() + &changed("250", 99, &digest),
    }
}

fn file(zone: &Zone) -> String {
    format!("{}signed", zone.apex)
}

fn parent(apex: &str) -> &str {
    match apex.split_once('.') {
        Some((_, "")) | None => ".",
        Some((_, rest)) => rest,
    }
}
