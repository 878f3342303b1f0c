//! Checks a live mail server against TLSA records given on the command line:
//!
//! ```text
//! cargo run --example starttls -- mx1.example.com 192.0.2.1:25 "3 1 1 29c8…" "2 0 1 …"
//! ```
//!
//! The records are taken as believed: looking them up with DNSSEC is the resolver's part.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dane::{
    ClientConfigs, DaneVerifier, Group, ReferenceIdentifiers, TlsVersion, TlsaRecord, TlsaSet, provider,
    server_name,
};
use rustls::ClientConnection;

fn main() -> ExitCode {
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("not verified: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(host), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: starttls HOST ADDRESS:PORT RECORD…".into());
    };
    let records = arguments
        .map(|text| text.parse())
        .collect::<Result<Vec<TlsaRecord>, _>>()?;

    let set = TlsaSet::new(records);
    for (record, reason) in set.unusable() {
        println!("unusable: {} ({reason})", record.fingerprint());
    }
    if !set.is_usable() {
        return Err("no usable record: TLS would be required, and not authenticated".into());
    }

    let groups = [Group::X25519MlKem768, Group::X25519, Group::P256, Group::P384];
    let configs = ClientConfigs::new(Arc::new(provider(&groups)), TlsVersion::Tls12)?;
    let references = ReferenceIdentifiers::new(&host)?;
    let verifier = DaneVerifier::new(set, references, configs.provider());
    let mut connection = ClientConnection::new(configs.dane(&verifier), server_name(&host)?)?;

    let mut socket = starttls(&address)?;
    let outcome = connection.complete_io(&mut socket);
    match (verifier.proof(&connection), verifier.refusal()) {
        (Some(proof), _) => {
            let matched = proof.matched();
            println!(
                "verified: {} at depth {}",
                matched.record.fingerprint(),
                matched.depth
            );
            Ok(())
        }
        (None, Some(refusal)) => Err(refusal.into()),
        (None, None) => Err(format!("the handshake broke: {outcome:?}").into()),
    }
}

/// Speaks SMTP up to the server's consent to start TLS.
fn starttls(address: &str) -> Result<TcpStream, Box<dyn Error>> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    for command in ["", "EHLO localhost\r\n", "STARTTLS\r\n"] {
        socket.write_all(command.as_bytes())?;
        loop {
            let line = lines.next().ok_or("connection closed")??;
            if !line.starts_with('2') {
                return Err(format!("the server said {line}").into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
    Ok(socket)
}
