//! The client against a real server under a private authority.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use https::{Bounds, Client, Content, Failure, Got, Proxy, Target, Url, Validators};
use rustls::{ClientConfig, RootCertStore};
use testworld::mail::{Ca, Identity, Validity};
use testworld::web::{Page, WebServer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(20),
    octets: 1000,
};

struct Scene {
    server: WebServer,
    client: Client,
}

impl Scene {
    async fn with(identity: impl FnOnce(&Ca) -> Identity) -> Self {
        let ca = Ca::new("Web CA").unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            server: WebServer::start(&identity(&ca)).await.unwrap(),
            client: Client::new(&config),
        }
    }

    async fn new() -> Self {
        Self::with(|ca| ca.issue(&["lists.example"]).unwrap()).await
    }

    fn url(&self, path: &str) -> Url {
        let port = self.server.address().port();
        format!("https://lists.example:{port}{path}").parse().unwrap()
    }

    async fn get(&self, path: &str, bounds: Bounds) -> Result<Got, Failure> {
        let url = self.url(path);
        let target = Target {
            url: &url,
            addresses: &[HERE],
            bounds,
        };
        self.client.get(&target, &Validators::default()).await
    }

    async fn failure(&self, page: Page) -> Failure {
        self.server.put("/it", page);
        self.get("/it", BOUNDS).await.unwrap_err()
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let scene = Scene::new().await;
    let page = Page::text("a.example\n").field("ETag", "\"1\"");
    scene
        .server
        .put("/list?a=b", page.field("Last-Modified", "yesterday"));
    let Got::Content(content) = scene.get("/list?a=b", BOUNDS).await.unwrap() else {
        panic!("nothing is known yet");
    };
    let validators = Validators {
        etag: Some("\"1\"".into()),
        last_modified: Some("yesterday".into()),
    };
    let expected = Content {
        status: 200,
        media_type: Some("text/plain".into()),
        validators: validators.clone(),
        octets: "a.example\n".into(),
    };
    assert_eq!(content, expected);
    let url = scene.url("/list?a=b");
    let target = Target {
        url: &url,
        // The first address does not answer.
        addresses: &["127.99.99.99".parse().unwrap(), HERE],
        bounds: BOUNDS,
    };
    assert_eq!(
        scene.client.get(&target, &validators).await.unwrap(),
        Got::NotModified
    );
    let asked = scene.server.asked();
    let last = asked.last().unwrap().to_ascii_lowercase();
    assert!(last.starts_with("get /list?a=b http/1.1\r\n"), "{last}");
    assert!(
        last.contains(&format!("\r\nhost: lists.example:{}\r\n", url.port())),
        "{last}"
    );
    assert!(last.contains("\r\nif-modified-since: yesterday\r\n"), "{last}");
}

#[tokio::test]
async fn something_is_handed_over() {
    let scene = Scene::new().await;
    scene.server.put("/here", Page::status(204));
    let url = scene.url("/here");
    let target = Target {
        url: &url,
        addresses: &[HERE],
        bounds: BOUNDS,
    };
    let handed = scene.client.post(&target, "application/json", "{}".into()).await;
    handed.unwrap();
    let asked = scene.server.asked();
    let last = asked.last().unwrap();
    assert!(last.starts_with("POST /here HTTP/1.1\r\n"), "{last}");
    assert!(
        last.to_ascii_lowercase()
            .contains("content-type: application/json"),
        "{last}"
    );
    assert!(last.ends_with("\r\n\r\n{}"), "{last}");
}

#[tokio::test]
async fn only_the_server_itself_is_believed() {
    type Make = fn(&Ca) -> Identity;
    let cases: [(Make, &str); 5] = [
        (
            |ca| ca.issue(&["other.example"]).unwrap(),
            "the certificate names another host",
        ),
        (
            |_| Identity::self_signed(&["lists.example"]).unwrap(),
            "the certificate's issuer is not trusted here",
        ),
        (
            |_| {
                Identity::builder(&["lists.example"])
                    .authority()
                    .self_signed()
                    .unwrap()
            },
            "one of a certificate authority, not of a server",
        ),
        (
            |ca| {
                let expired = Identity::builder(&["lists.example"]).validity(Validity::Expired);
                expired.issue(ca).unwrap()
            },
            "certificate expired",
        ),
        (
            |ca| {
                let early = Identity::builder(&["lists.example"]).validity(Validity::NotYet);
                early.issue(ca).unwrap()
            },
            "certificate not yet valid",
        ),
    ];
    for (identity, words) in cases {
        let scene = Scene::with(identity).await;
        let failure = scene.failure(Page::text("a.example\n")).await;
        assert!(matches!(failure, Failure::Certificate(_)), "{failure}");
        assert!(failure.to_string().contains(words), "{failure}");
        assert!(scene.server.asked().is_empty());
    }
}

#[tokio::test]
async fn what_is_no_content_has_its_own_failure() {
    let scene = Scene::new().await;
    let away = Page::status(302).field("Location", "https://other.example/");
    match scene.failure(away).await {
        Failure::Redirect(Some(location)) => assert_eq!(location, "https://other.example/"),
        other => panic!("{other}"),
    }
    let failure = scene.failure(Page::status(503)).await;
    assert!(matches!(failure, Failure::Status(503)), "{failure}");
    let failure = scene.failure(Page::text(vec![b'a'; BOUNDS.octets + 1])).await;
    assert!(matches!(failure, Failure::TooLarge(_)), "{failure}");
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n".to_vec();
    let failure = scene
        .failure(Page::Raw([endless, vec![b'a'; 1024]].concat()))
        .await;
    assert!(matches!(failure, Failure::TooLarge(_)), "{failure}");
    for broken in [
        "no HTTP at all\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "",
    ] {
        let failure = scene.failure(Page::Raw(broken.into())).await;
        assert!(matches!(failure, Failure::Http(_)), "{broken:?}: {failure}");
    }
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
    let failure = scene.failure(Page::Raw(head.into())).await;
    assert!(matches!(failure, Failure::Http(_)), "{failure}");
    scene.server.put("/silent", Page::Silence);
    let hurry = Bounds {
        time: Duration::from_millis(300),
        ..BOUNDS
    };
    let failure = scene.get("/silent", hurry).await.unwrap_err();
    assert!(matches!(failure, Failure::Late(_)), "{failure}");
    let client = scene.client.clone().answered_within(hurry.time);
    let url = scene.url("/silent");
    let target = Target {
        url: &url,
        addresses: &[HERE],
        bounds: BOUNDS,
    };
    let failure = client.get(&target, &Validators::default()).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Late(time) if time == hurry.time),
        "{failure}"
    );
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_believed() {
    let scene = Scene::new().await;
    // No content was known that could be as it was, and no part was asked for.
    for status in [304, 201, 204, 206] {
        let failure = scene.failure(Page::status(status)).await;
        assert!(
            matches!(failure, Failure::Status(said) if said == status),
            "{failure}"
        );
    }
    let page = || Page::text("a.example\n");
    let failure = scene.failure(page().field("Content-Encoding", "gzip")).await;
    assert!(matches!(failure, Failure::Coding(_)), "{failure}");
    scene
        .server
        .put("/it", page().field("Content-Encoding", "identity"));
    assert!(matches!(scene.get("/it", BOUNDS).await, Ok(Got::Content(_))));
    scene.server.put("/it", Page::status(304));
    let url = scene.url("/it");
    let target = Target {
        url: &url,
        addresses: &[HERE],
        bounds: BOUNDS,
    };
    let handed = scene.client.post(&target, "application/json", "{}".into()).await;
    assert!(matches!(handed, Err(Failure::Status(304))), "{handed:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let scene = Scene::new().await;
    let url = scene.url("/");
    let mut target = Target {
        url: &url,
        addresses: &[],
        bounds: BOUNDS,
    };
    let nothing = Validators::default();
    let failure = scene.client.get(&target, &nothing).await.unwrap_err();
    assert!(matches!(failure, Failure::NoAddress), "{failure}");
    let elsewhere = [IpAddr::V4(Ipv4Addr::new(127, 99, 99, 99))];
    target.addresses = &elsewhere;
    let failure = scene.client.get(&target, &nothing).await.unwrap_err();
    assert!(matches!(failure, Failure::Connect { .. }), "{failure}");
}

/// A proxy that answers everybody with these octets and then stays silent.
async fn proxy_that_says(octets: Vec<u8>) -> Proxy {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut asked = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Who has heard enough hangs up.
            let _ = stream.write_all(&octets).await;
            asked.push(stream);
        }
    });
    format!("http://127.0.0.1:{port}").parse().unwrap()
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_is_to_blame() {
    let scene = Scene::new().await;
    let url = scene.url("/");
    let target = Target {
        url: &url,
        addresses: &[HERE],
        bounds: BOUNDS,
    };
    let nothing = Validators::default();
    let endless = "x".repeat(20_000);
    for (said, status) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nX: y\r\n\r\n",
            Some(407),
        ),
        ("HTTP/1.0 503 No\r\n\r\n", Some(503)),
        ("HTTP/1.1 2000 No\r\n\r\n", None),
        ("SSH-2.0-x\r\n\r\n", None),
        ("HTTP/2 200 OK\r\n\r\n", None),
        (endless.as_str(), None),
    ] {
        let proxy = proxy_that_says(said.into()).await;
        let client = scene.client.clone().through(Some(proxy.clone()));
        let failure = client.get(&target, &nothing).await.unwrap_err();
        let (blamed, found) = match failure {
            Failure::ProxyStatus { proxy, status } => (proxy, Some(status)),
            Failure::Proxy { proxy, .. } => (proxy, None),
            other => panic!("{said:?}: {other}"),
        };
        assert_eq!((blamed, found), (proxy.to_string(), status), "{said:?}");
    }
    let silent = proxy_that_says(Vec::new()).await;
    let time = Duration::from_millis(300);
    let client = scene.client.clone().through(Some(silent)).answered_within(time);
    let failure = client.get(&target, &nothing).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Late(said) if said == time),
        "{failure}"
    );
    assert!(scene.server.asked().is_empty());
}

#[tokio::test]
async fn loopback_addresses_are_not_the_proxys() {
    let scene = Scene::with(|ca| ca.issue(&["127.0.0.1"]).unwrap()).await;
    scene.server.put("/it", Page::text("here\n"));
    let port = scene.server.address().port();
    let url: Url = format!("https://127.0.0.1:{port}/it").parse().unwrap();
    let target = Target {
        url: &url,
        addresses: &[HERE],
        bounds: BOUNDS,
    };
    let proxy = proxy_that_says(b"HTTP/1.1 403 No\r\n\r\n".to_vec()).await;
    let client = scene.client.clone().through(Some(proxy));
    let got = client.get(&target, &Validators::default()).await;
    assert!(matches!(got, Ok(Got::Content(_))), "{got:?}");
}

#[tokio::test]
async fn a_server_without_proof_is_spoken_to_only_on_request() {
    let ca = Ca::new("Web CA").unwrap();
    let expired = Identity::builder(&["other.example"]).validity(Validity::Expired);
    let server = WebServer::start(&expired.issue(&ca).unwrap()).await.unwrap();
    server.put("/here", Page::status(201));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let port = server.address().port();
    let url: Url = format!("https://lists.example:{port}/here").parse().unwrap();
    let target = Target {
        url: &url,
        addresses: &[HERE],
        bounds: BOUNDS,
    };
    let handed = Client::new(&config).post(&target, "text/plain", "a".into()).await;
    assert!(matches!(handed, Err(Failure::Certificate(_))), "{handed:?}");
    let client = Client::of_any_server(&config);
    client.post(&target, "text/plain", "a".into()).await.unwrap();
    assert_eq!(server.asked().len(), 1);
}
