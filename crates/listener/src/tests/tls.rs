//! STARTTLS, implicit TLS, and client certificates.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;
use crate::users::hash_password;
use crate::{ClientCertificates, KeyDigest, ServerTls, Users};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let params = CertificateParams::new(vec!["relay.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (
        certificate.der().clone(),
        PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
    )
}

fn server(clients: ClientCertificates) -> ServerTls {
    let (certificate, key) = certificate();
    ServerTls::new(vec![certificate], key, &provider(), clients).unwrap()
}

/// Accepts any server; the tests are about what the server does.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Client {
    /// The same client over TLS.
    async fn shake_hands(self, identity: Option<Identity>) -> Self {
        assert!(self.input.is_empty());
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody));
        let config = match identity {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from("relay.example").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, self.stream)
            .await
            .unwrap();
        Self {
            stream: Box::new(stream),
            ..self
        }
    }
}

fn with_tls() -> ListenerConfig {
    ListenerConfig {
        tls: Some(server(ClientCertificates::NotAsked)),
        ..config()
    }
}

/// Writes this before the first octets of its own, and together with them.
struct Behind(Vec<u8>, TcpStream);

impl AsyncRead for Behind {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.1).poll_read(cx, buf)
    }
}

impl AsyncWrite for Behind {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let before = std::mem::take(&mut self.0);
        let both = [&before[..], buf].concat();
        let written = Pin::new(&mut self.1).poll_write(cx, &both)?;
        written.map(|written| {
            assert_eq!(written, both.len());
            Ok(buf.len())
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.1).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.1).poll_shutdown(cx)
    }
}

/// As from `HAProxy` when it waits for the hello before it connects.
#[tokio::test]
async fn a_handshake_may_come_together_with_the_header_of_a_proxy() {
    let settings = ListenerConfig {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..with_tls()
    };
    let world = World::on(settings, Duration::ZERO, Encryption::Implicit).await;
    let stream = TcpStream::connect(world.address).await.unwrap();
    let client = Client {
        stream: Box::new(Behind(super::proxies::header([192, 0, 2, 7]), stream)),
        ..world.connect().await
    };
    let mut client = client.shake_hands(None).await;
    client.expect("220").await;
    client.say("EHLO x").await;
    assert!(client.transaction(b".\r\n").await.is_positive());
    assert!(world.log_lines("event=accepted")[0].contains("client=unknown [192.0.2.7], "));
}

#[tokio::test]
async fn starttls_voids_all_that_was_said() {
    let world = World::with(with_tls()).await;
    let mut client = world.client().await;
    assert!(client.keywords().await.contains(&"STARTTLS".to_owned()));
    client
        .dialogue(&[
            ("STARTTLS now", "501 5.5.4"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("STARTTLS", "220 2.0.0"),
        ])
        .await;
    let mut client = client.shake_hands(None).await;
    client
        .dialogue(&[
            ("RCPT TO:<c@d.example>", "503 5.5.1"),
            ("MAIL FROM:<a@b.example>", "503 5.5.1"),
            ("STARTTLS", "503 5.5.1"),
        ])
        .await;
    assert!(!client.keywords().await.contains(&"STARTTLS".to_owned()));
    assert!(client.transaction(b".\r\n").await.is_positive());
    let content = &world.contents_with_received()[0];
    assert!(
        content.contains("\tby relay.example with ESMTPS id "),
        "{content}"
    );
    assert!(
        content.contains("\tfor <c@d.example>\r\n\ttls TLS_AES_256_GCM_SHA384;\r\n\t"),
        "{content}"
    );
    let line = &world.log_lines("event=accepted")[0];
    assert!(line.contains(", tls=TLSv1.3:TLS_AES_256_GCM_SHA384, "), "{line}");
}

#[tokio::test]
async fn require_tls_is_offered_under_tls_to_those_who_may_relay() {
    let world = World::with(with_tls()).await;
    let mut client = world.client().await;
    let offered = |keywords: Vec<String>| keywords.contains(&"REQUIRETLS".to_owned());
    assert!(!offered(client.keywords().await));
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> REQUIRETLS", "555 5.5.4"),
            ("STARTTLS", "220"),
        ])
        .await;
    let mut client = client.shake_hands(None).await;
    assert!(offered(client.keywords().await));
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> REQUIRETLS=1", "501 5.5.4"),
            ("MAIL FROM:<a@b.example> REQUIRETLS RequireTLS", "501 5.5.4"),
            ("MAIL FROM:<a@b.example> RequireTLS", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    client.send(b"TLS-Required: No\r\n\r\n.\r\n").await;
    client.expect("250").await;
    assert_eq!(
        world.envelopes().pop().unwrap().parameters.tls,
        mail::TlsTag::Required
    );

    let nobody = ListenerConfig {
        networks: Vec::new(),
        ..with_tls()
    };
    let world = World::with(nobody).await;
    let mut client = world.client().await;
    client
        .dialogue(&[("EHLO c.example", "250"), ("STARTTLS", "220")])
        .await;
    assert!(!offered(client.shake_hands(None).await.keywords().await));
}

/// CVE-2011-0411: commands pipelined in plain text are never executed.
#[tokio::test]
async fn nothing_behind_starttls_reaches_the_protected_session() {
    let world = World::with(with_tls()).await;
    let mut client = world.client().await;
    client
        .send(b"STARTTLS\r\nEHLO injected\r\nMAIL FROM:<evil@x.example>\r\n")
        .await;
    client.expect("220").await;
    let mut client = client.shake_hands(None).await;
    client
        .dialogue(&[("RCPT TO:<c@d.example>", "503 5.5.1 Need MAIL"), ("NOOP", "250")])
        .await;
}

#[tokio::test]
async fn a_broken_handshake_ends_the_connection_and_is_told() {
    let world = World::with(with_tls()).await;
    let mut client = world.client().await;
    client.dialogue(&[("STARTTLS", "220")]).await;
    client.send(b"MAIL FROM:<a@b.example>\r\n").await;
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest).await;
    assert!(
        !rest.starts_with(b"2") && !rest.starts_with(b"5"),
        "at most an alert"
    );
    let line = &world.rejected(1).await[0];
    assert!(line.contains("command=\"STARTTLS\", reason=\""), "{line}");
}

#[tokio::test]
async fn implicit_tls_begins_with_the_handshake() {
    let world = World::on(with_tls(), Duration::ZERO, Encryption::Implicit).await;
    let mut client = world.connect().await.shake_hands(None).await;
    client.expect("220").await;
    assert!(!client.keywords().await.contains(&"STARTTLS".to_owned()));
    assert!(client.transaction(b".\r\n").await.is_positive());
}

#[tokio::test]
async fn a_key_may_relay_that_is_named() {
    let (known, unknown) = (certificate(), certificate());
    let world = World::with(ListenerConfig {
        networks: Vec::new(),
        tls: Some(server(ClientCertificates::Asked)),
        client_keys: vec![KeyDigest::of(&known.0).unwrap()],
        ..config()
    })
    .await;
    for (identity, reply) in [
        (Some(known), "250"),
        (Some(unknown), "550 5.7.1"),
        (None, "550 5.7.1"),
    ] {
        let mut client = world.client().await;
        client.dialogue(&[("STARTTLS", "220")]).await;
        let mut client = client.shake_hands(identity).await;
        client
            .dialogue(&[
                ("EHLO x", "250"),
                ("MAIL FROM:<a@b.example>", "250"),
                ("RCPT TO:<c@d.example>", reply),
            ])
            .await;
        if reply == "250" {
            client.dialogue(&[("DATA", "354"), (".", "250")]).await;
        }
    }
    assert!(world.log_lines("event=accepted")[0].contains(", auth=key:"));
}

/// Nobody who listens on the network gets a password.
#[tokio::test]
async fn passwords_are_taken_under_tls_only() {
    let hash = hash_password("secret").unwrap();
    // According to its proxy, the client is not on loopback.
    let world = World::with(ListenerConfig {
        networks: Vec::new(),
        xclient: vec!["127.0.0.1/32".parse().unwrap()],
        users: Some(Arc::new(Users::parse(&format!("user:{hash}")).unwrap())),
        ..with_tls()
    })
    .await;
    let mut client = world.client().await;
    client.dialogue(&[("XCLIENT ADDR=198.51.100.1", "220")]).await;
    assert!(
        !client
            .keywords()
            .await
            .iter()
            .any(|keyword| keyword.starts_with("AUTH"))
    );
    client
        .dialogue(&[
            ("AUTH PLAIN AHVzZXIAc2VjcmV0", "538 5.7.11"),
            ("MAIL FROM:<a@b.example>", "250"),
            (
                "RCPT TO:<c@d.example>",
                "550 5.7.1 Relay access denied: STARTTLS and authenticate first",
            ),
            ("STARTTLS", "220"),
        ])
        .await;
    let mut client = client.shake_hands(None).await;
    assert!(client.keywords().await.contains(&"AUTH PLAIN LOGIN".to_owned()));
    client
        .dialogue(&[("AUTH PLAIN AHVzZXIAc2VjcmV0", "235 2.7.0")])
        .await;
    assert!(client.transaction(b".\r\n").await.is_positive());
    assert!(world.contents_with_received()[0].contains(" with ESMTPSA id "));
}

/// A client that never gets on with its handshake keeps its place for a minute, and others are served meanwhile.
#[tokio::test]
async fn half_open_handshakes_end_after_a_minute() {
    let world = World::on(with_tls(), Duration::ZERO, Encryption::Implicit).await;
    let mut silent = world.connect().await;
    let mut begun = world.connect().await;
    begun.send(b"\x16\x03\x01\x02\x00\x01").await;
    let mut other = world.connect().await.shake_hands(None).await;
    other.expect("220").await;
    assert_eq!(world.listener.connections(), 3);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    silent.expect_end().await;
    begun.expect_end().await;
    other.dialogue(&[("EHLO x", "250")]).await;
    assert_eq!(world.log_lines("the handshake takes too long").len(), 2);
}
