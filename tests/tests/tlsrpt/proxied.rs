//! A report handed over to a web server behind a proxy that is not ours.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use danerelay_tests::process::{Daemon, command};
use danerelay_tests::wait;
use https::{Client, Failure, Proxy, Url};
use rustls::{ClientConfig, RootCertStore};
use testworld::mail::Identity;
use testworld::web::{Page, WebServer};
use tlsrpt::post::{PostFailure, Reach, hand_over};

use crate::cases::Case;
use crate::judge::is_left_out;

/// A proxy that makes tunnels to this port only.
fn tinyproxy(directory: &Path, allowed: u16) -> (Daemon, Proxy) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let file = directory.join("tinyproxy.conf");
    let log = directory.join("tinyproxy.log");
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 10\nAllow 127.0.0.1\nConnectPort {allowed}\nLogLevel Info\n"
    );
    fs::write(&file, text).unwrap();
    let mut program = command("tinyproxy");
    let daemon = Daemon::start(program.arg("-d").arg("-c").arg(&file), &log);
    wait::until_listening("the proxy", (Ipv4Addr::LOCALHOST, port).into());
    (daemon, format!("http://localhost:{port}").parse().unwrap())
}

fn config() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

#[tokio::test]
async fn a_report_goes_through_a_proxy() {
    if is_left_out() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let identity = Identity::self_signed(&["other.example"]).unwrap();
    let server = WebServer::start(&identity).await.unwrap();
    server.put("/v1/tlsrpt", Page::status(201));
    let port = server.address().port();
    let (_proxy, proxy) = tinyproxy(directory.path(), port);
    // A report goes to the address that was judged here, whatever the name is to the proxy.
    let url: Url = format!("https://reports.example:{port}/v1/tlsrpt")
        .parse()
        .unwrap();
    let here = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let packed = Case::whole().packed();
    let client = Client::of_any_server(&config()).through(Some(proxy.clone()));
    hand_over(&client, &url, &here, &packed, Reach::Anywhere)
        .await
        .unwrap();
    let asked = server.asked().pop().unwrap();
    assert!(asked.starts_with("POST /v1/tlsrpt HTTP/1.1\r\n"), "{asked}");
    let asked = asked.to_ascii_lowercase();
    assert!(
        asked.contains(&format!("host: reports.example:{port}\r\n")),
        "{asked}"
    );
    assert!(asked.contains("content-type: application/tlsrpt+gzip"), "{asked}");

    // Who verifies servers leaves finding them to the proxy, and verifies them behind it as anywhere.
    let strict = Client::new(&config()).through(Some(proxy.clone()));
    let local: Url = format!("https://localhost:{port}/v1/tlsrpt").parse().unwrap();
    let nowhere = [IpAddr::from([127, 99, 99, 99])];
    let refused = hand_over(&strict, &local, &nowhere, &packed, Reach::Anywhere).await;
    assert!(
        matches!(refused, Err(PostFailure::Exchange(Failure::Certificate(_)))),
        "{refused:?}"
    );

    // What its rules forbid says so.
    let elsewhere: Url = "https://reports.example:1/v1/tlsrpt".parse().unwrap();
    let refused = hand_over(&client, &elsewhere, &here, &packed, Reach::Anywhere).await;
    let forbidden = matches!(
        refused,
        Err(PostFailure::Exchange(Failure::ProxyStatus { status: 403, .. }))
    );
    assert!(forbidden, "{refused:?}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let proxy: Proxy = format!("http://127.0.0.1:{port}").parse().unwrap();
    let client = Client::of_any_server(&config()).through(Some(proxy));
    let url: Url = "https://reports.example/".parse().unwrap();
    let address = [IpAddr::from([192, 0, 2, 1])];
    let failure = hand_over(&client, &url, &address, &Case::quiet().packed(), Reach::Anywhere).await;
    let words = failure.unwrap_err().to_string();
    assert!(
        words.starts_with(&format!(
            "no connection through the proxy http://127.0.0.1:{port}: "
        )),
        "{words}"
    );
}

#[tokio::test]
async fn no_proxy_is_asked_for_what_is_not_public() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy: Proxy = format!("http://127.0.0.1:{port}").parse().unwrap();
    let client = Client::of_any_server(&config()).through(Some(proxy));
    let packed = Case::quiet().packed();
    // A name without addresses here may have some for the proxy, and this one is an address to many a resolver.
    for (url, addresses) in [
        ("https://intranet.example/", &[][..]),
        ("https://0x7f000001/", &[]),
        ("https://intranet.example/", &[IpAddr::from([127, 0, 0, 1])]),
        ("https://127.0.0.1/", &[IpAddr::from([127, 0, 0, 1])]),
    ] {
        let url: Url = url.parse().unwrap();
        let refused = hand_over(&client, &url, addresses, &packed, Reach::Public).await;
        let is_refused = matches!(
            refused,
            Err(PostFailure::Internal(_) | PostFailure::Exchange(Failure::NoAddress))
        );
        assert!(is_refused, "{url}: {refused:?}");
    }
    let asked = listener.accept().unwrap_err();
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock);
}
