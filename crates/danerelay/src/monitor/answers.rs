//! What each path answers. All of it is for reading.

use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use mail::Domain;
use spool::Store;

use super::sources::Monitor;
use super::{exposition, page, render};

const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The answer to a request; its content, if it has any, is not read.
pub(super) fn answer<S: Store, B>(request: &Request<B>, monitor: &Monitor<S>) -> Response<Full<Bytes>> {
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    if !is_for_us(host, &monitor.sources.hostname) {
        let text = format!(
            "This relay answers to its address, to localhost and to {}.\n",
            monitor.sources.hostname
        );
        return response(StatusCode::MISDIRECTED_REQUEST, PLAIN, text);
    }
    // hyper itself leaves the content out of an answer to HEAD.
    if matches!(request.method(), &Method::GET | &Method::HEAD) {
        return read(request.uri().path(), monitor);
    }
    let mut refused = response(
        StatusCode::METHOD_NOT_ALLOWED,
        PLAIN,
        "Allowed: GET and HEAD.\n".to_owned(),
    );
    refused
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refused
}

fn read<S: Store>(path: &str, monitor: &Monitor<S>) -> Response<Full<Bytes>> {
    match path {
        "/" => {
            monitor.note_interest();
            let mut answer = response(StatusCode::OK, HTML, page::page(monitor, Timestamp::now()));
            if let Ok(policy) = HeaderValue::from_str(page::security_policy()) {
                answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            }
            answer
        }
        "/metrics" => {
            monitor.note_interest();
            let metrics = render::metrics(monitor, Timestamp::now());
            response(StatusCode::OK, exposition::MEDIA_TYPE, metrics)
        }
        "/healthz" => match monitor.ailment() {
            None => response(StatusCode::OK, PLAIN, "ok\n".to_owned()),
            Some(why) => response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{why}\n")),
        },
        _ => response(
            StatusCode::NOT_FOUND,
            PLAIN,
            "There are /, /metrics and /healthz.\n".to_owned(),
        ),
    }
}

fn response(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the client means us, by the name that it connects to. A page of somebody else whose name leads here could
/// otherwise have a browser read what only those on this machine may read (DNS rebinding).
fn is_for_us(host: Option<&[u8]>, own: &Domain) -> bool {
    // A browser always says it.
    let Some(host) = host else {
        return true;
    };
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let name = without_port(host);
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(name).parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.trim_end_matches('.').eq_ignore_ascii_case(own.as_str())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_who_means_us_is_answered() {
        let own = Domain::parse("relay.example").unwrap();
        for (host, is_ours) in [
            (None, true),
            (Some("127.0.0.1:8025"), true),
            (Some("[::1]:8025"), true),
            (Some("[::1]"), true),
            (Some("localhost:8025"), true),
            (Some("Relay.Example:8025"), true),
            (Some("relay.example."), true),
            (Some("evil.example:8025"), false),
            (Some("localhost.evil.example"), false),
            (Some(""), false),
        ] {
            assert_eq!(is_for_us(host.map(str::as_bytes), &own), is_ours, "{host:?}");
        }
    }
}
