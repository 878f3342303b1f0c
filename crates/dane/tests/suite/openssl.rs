//! OpenSSL as an independent judge: `openssl s_client` and this crate look at the same `openssl s_server`
//! with the same records, and must agree.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dane::{
    ClientConfigs, DaneProof, DaneVerifier, Group, ReferenceIdentifiers, Refusal, TlsVersion, TlsaRecord,
    TlsaSet, provider, server_name,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::ClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::pki::{HOST, Issued, ThreeTier, ca_params, leaf_params, record, self_signed, signed_by, stale};

/// The first certificate is the leaf; the others are sent after it.
struct Case<'a> {
    what: &'a str,
    chain: Vec<&'a Issued>,
    records: Vec<TlsaRecord>,
    /// OpenSSL's number, where both must also agree on the reason.
    code: u16,
}

/// A listening `openssl s_server`, ended on drop.
pub(crate) struct Server {
    process: Child,
    address: String,
    directory: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Server {
    /// The files of one server, apart from those of all others.
    fn directory() -> PathBuf {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

fn serve(chain: &[&Issued], version: &str) -> Server {
    let (leaf, issuers) = chain.split_first().unwrap();
    let issuers: String = issuers.iter().map(|issuer| issuer.pem.as_str()).collect();
    start(&leaf.pem, &leaf.key.serialize_pem(), &issuers, version)
}

/// Serves this certificate with its key and with these issuers, all of them PEM.
pub(crate) fn start(leaf: &str, key: &str, issuers: &str, version: &str) -> Server {
    let directory = Server::directory();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-accept", "127.0.0.1:0", version])
        // Short keys, too.
        .args(["-cipher", "DEFAULT@SECLEVEL=0"])
        .arg("-cert")
        .arg(file("leaf.pem", leaf))
        .arg("-key")
        .arg(file("key.pem", key));
    if !issuers.is_empty() {
        command.arg("-cert_chain").arg(file("chain.pem", issuers));
    }
    command.args(["-naccept", "2"]);
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need the openssl command");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
        .expect("s_server did not start");
    std::thread::spawn(move || lines.for_each(drop));
    Server {
        process,
        address,
        directory,
    }
}

/// OpenSSL's number for the first thing it finds wrong, 0 if nothing.
fn openssl_says(server: &Server, records: &[TlsaRecord]) -> u16 {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &server.address])
        .args(["-servername", HOST, "-dane_tlsa_domain", HOST])
        .arg("-dane_ee_no_namechecks");
    for record in records {
        command.args(["-dane_tlsa_rrdata", &record.to_string()]);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = complaints
        .lines()
        .find_map(|line| line.strip_prefix("verify error:num="))
        .and_then(|rest| rest.split(':').next())
        .map(|number| number.parse().unwrap());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    first.unwrap_or_else(|| {
        assert!(
            text.contains("Verify return code: 0 (ok)"),
            "no verdict in {text}"
        );
        0
    })
}

/// The same number from a handshake by this crate.
fn we_say(server: &Server, records: &[TlsaRecord]) -> u16 {
    match connect(server, records) {
        Ok(_) => 0,
        Err(Some(Refusal::Dane(failure))) => failure.code().number(),
        Err(other) => panic!("{other:?}"),
    }
}

/// A handshake by this crate, and why it refused where it got so far.
pub(crate) fn connect(server: &Server, records: &[TlsaRecord]) -> Result<DaneProof, Option<Refusal>> {
    let configs = ClientConfigs::new(
        Arc::new(provider(&[Group::X25519, Group::P256])),
        TlsVersion::Tls12,
    )
    .unwrap();
    let references = ReferenceIdentifiers::new(HOST).unwrap();
    let set = TlsaSet::new(records.to_vec());
    let verifier = DaneVerifier::new(set, references, configs.provider());
    let mut client = ClientConnection::new(configs.dane(&verifier), server_name(HOST).unwrap()).unwrap();
    let mut socket = TcpStream::connect(&server.address).unwrap();
    let outcome = client.complete_io(&mut socket);
    client.send_close_notify();
    let _ = client.complete_io(&mut socket);
    let proof = verifier.proof(&client);
    assert!(proof.is_none() || outcome.is_ok() && verifier.refusal().is_none());
    proof.ok_or(verifier.refusal())
}

fn agree(cases: &[Case<'_>]) {
    for case in cases {
        for version in ["-tls1_2", "-tls1_3"] {
            let server = serve(&case.chain, version);
            let theirs = openssl_says(&server, &case.records);
            let ours = we_say(&server, &case.records);
            eprintln!("{} {version}: openssl {theirs}, dane {ours}", case.what);
            assert_eq!((theirs, ours), (case.code, case.code), "{} {version}", case.what);
        }
    }
}

fn case<'a>(what: &'a str, chain: &[&'a Issued], records: &[TlsaRecord], code: u16) -> Case<'a> {
    Case {
        what,
        chain: chain.to_vec(),
        records: records.to_vec(),
        code,
    }
}

#[test]
fn on_records() {
    let world = ThreeTier::new();
    let ThreeTier {
        root,
        intermediate,
        leaf,
    } = &world;
    let all = [leaf, intermediate, root];
    let short = [leaf, intermediate];
    let own = |matching| record((3, 1, matching), leaf);
    let two = |selector, matching| record((2, selector, matching), root);
    let stranger = self_signed(ca_params("stranger"));
    let lonely = self_signed(leaf_params(&[HOST]));
    agree(&[
        case("3 1 1", &all, &[own(1)], 0),
        case("3 0 2", &all, &[record((3, 0, 2), leaf)], 0),
        case(
            "3 1 1 of the issuer",
            &all,
            &[record((3, 1, 1), intermediate)],
            65,
        ),
        case("3 1 1 stale", &all, &[stale(own(1))], 65),
        case("3 1 1 stale and fresh", &all, &[stale(own(1)), own(1)], 0),
        case("3 1 2 stale outranks 3 1 1", &all, &[own(1), stale(own(2))], 65),
        case("3 1 0 is never outranked", &all, &[own(0), stale(own(2))], 0),
        case("groups are apart", &all, &[stale(own(2)), two(0, 1)], 0),
        case("2 0 1", &all, &[two(0, 1)], 0),
        case("2 1 2", &all, &[two(1, 2)], 0),
        case(
            "2 0 1 of an intermediate",
            &short,
            &[record((2, 0, 1), intermediate)],
            0,
        ),
        case(
            "2 0 1 in another order",
            &[leaf, root, intermediate],
            &[two(0, 1)],
            0,
        ),
        case("2 0 1 not sent", &short, &[two(0, 1)], 65),
        case("2 0 0 not sent", &short, &[two(0, 0)], 0),
        case("2 0 0 of a stranger", &short, &[record((2, 0, 0), &stranger)], 65),
        case("2 1 0 not sent", &short, &[two(1, 0)], 0),
        case("2 1 0 of a stranger", &short, &[record((2, 1, 0), &stranger)], 65),
        case("2 0 1 of the leaf", &[&lonely], &[record((2, 0, 1), &lonely)], 65),
        case("2 1 1 of the leaf", &[&lonely], &[record((2, 1, 1), &lonely)], 65),
        case(
            "2 1 0 of the leaf's own key",
            &[&lonely],
            &[record((2, 1, 0), &lonely)],
            0,
        ),
    ]);
}

/// What OpenSSL says about leaf parameters under `3 1 1` and under `2 0 1`.
fn leaf_cases(cases: &[(&str, CertificateParams, u16, u16)]) {
    let root = self_signed(ca_params("root"));
    for (what, params, usage_3, usage_2) in cases {
        let leaf = signed_by(&root, params.clone());
        agree(&[
            case(what, &[&leaf, &root], &[record((3, 1, 1), &leaf)], *usage_3),
            case(what, &[&leaf, &root], &[record((2, 0, 1), &root)], *usage_2),
        ]);
    }
}

#[test]
fn on_leaves() {
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = leaf_params(&[HOST]);
        change(&mut params);
        params
    };
    let common_name = |cn: &str, names: &[&str]| {
        let mut params = leaf_params(names);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, cn);
        params
    };
    let date = date_time_ymd;
    leaf_cases(&[
        ("expired", with(&|leaf| leaf.not_after = date(2020, 1, 1)), 0, 10),
        (
            "not yet valid",
            with(&|leaf| leaf.not_before = date(2090, 1, 1)),
            0,
            9,
        ),
        ("another name", leaf_params(&["mx2.example.com"]), 0, 62),
        ("wildcard", leaf_params(&["*.example.com"]), 0, 0),
        ("wide wildcard", leaf_params(&["*.com"]), 0, 62),
        ("wildcard in the middle", leaf_params(&["mx1.*.com"]), 0, 62),
        ("CN alone", common_name(HOST, &[]), 0, 0),
        (
            "CN beside a DNS name",
            common_name(HOST, &["other.example"]),
            0,
            62,
        ),
        (
            "for clients",
            with(&|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            0,
            26,
        ),
        (
            "unknown critical extension",
            with(&|leaf| leaf.custom_extensions.push(unknown_critical())),
            0,
            34,
        ),
    ]);
}

fn unknown_critical() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

/// A deviation from an ordinary CA certificate.
type Change<'a> = &'a dyn Fn(&mut CertificateParams);

/// What OpenSSL says about an anchor and about an intermediate with the same change.
fn issuer_cases(cases: &[(&str, Change<'_>, u16, u16)]) {
    for (what, change, as_anchor, as_intermediate) in cases {
        let mut changed = ca_params("changed");
        change(&mut changed);
        let anchor = self_signed(changed.clone());
        let below = signed_by(&anchor, ca_params("below"));
        let leaf = signed_by(&below, leaf_params(&[HOST]));
        let root = self_signed(ca_params("root"));
        let middle = signed_by(&root, changed);
        let under = signed_by(&middle, leaf_params(&[HOST]));
        agree(&[
            case(
                what,
                &[&leaf, &below, &anchor],
                &[record((2, 0, 1), &anchor)],
                *as_anchor,
            ),
            case(what, &[&leaf, &below], &[record((2, 0, 0), &anchor)], *as_anchor),
            case(
                what,
                &[&under, &middle, &root],
                &[record((2, 0, 1), &root)],
                *as_intermediate,
            ),
        ]);
    }
}

#[test]
fn on_issuers() {
    let subtree = |name: &str| {
        Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(name.to_owned())],
            excluded_subtrees: Vec::new(),
        })
    };
    issuer_cases(&[
        ("unchanged", &|_| {}, 0, 0),
        ("expired", &|ca| ca.not_after = date_time_ymd(2020, 1, 1), 10, 10),
        ("not a CA", &|ca| ca.is_ca = IsCa::ExplicitNoCa, 79, 79),
        (
            "path length 0",
            &|ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
            25,
            0,
        ),
        (
            "path length 1",
            &|ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)),
            0,
            0,
        ),
        (
            "not for signing",
            &|ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign],
            79,
            79,
        ),
        (
            "for clients",
            &|ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            26,
            26,
        ),
        (
            "critical",
            &|ca| ca.custom_extensions.push(unknown_critical()),
            34,
            34,
        ),
        (
            "permits the name",
            &|ca| ca.name_constraints = subtree("example.com"),
            0,
            0,
        ),
        (
            "permits another name",
            &|ca| ca.name_constraints = subtree("example.org"),
            47,
            47,
        ),
    ]);
}

/// A self-signed certificate of X.509 version 1, which has no extensions and so no names but its CN.
fn version_1(common_name: &str) -> Issued {
    let mut params = ca_params(common_name);
    params.is_ca = IsCa::NoCa;
    let key = rcgen::KeyPair::generate().unwrap();
    let directory = Server::directory();
    let key_file = directory.join("key.pem");
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let request = directory.join("request.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .arg(&key_file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let asked = openssl(&["req", "-new", "-subj", &format!("/CN={common_name}"), "-key"]);
    fs::write(&request, asked).unwrap();
    let request = request.to_str().unwrap();
    let pem = openssl(&["x509", "-req", "-days", "30", "-in", request, "-signkey"]);
    let pem = String::from_utf8(pem).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
    assert_eq!(parsed.version(), x509_parser::x509::X509Version::V1);
    Issued {
        params,
        key,
        der: der.clone(),
        pem,
    }
}

#[test]
fn on_version_1() {
    let old = version_1("old");
    let leaf = signed_by(&old, leaf_params(&[HOST]));
    agree(&[
        case("version 1 leaf", &[&old], &[record((3, 1, 1), &old)], 0),
        case("version 1 anchor", &[&leaf, &old], &[record((2, 0, 1), &old)], 0),
        case("version 1 anchor in DNS", &[&leaf], &[record((2, 0, 0), &old)], 0),
    ]);
    let other = signed_by(&old, leaf_params(&["other.example"]));
    agree(&[case(
        "and its names",
        &[&other, &old],
        &[record((2, 1, 1), &old)],
        62,
    )]);
}
