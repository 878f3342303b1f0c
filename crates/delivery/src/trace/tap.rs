//! What passes over a connection, line by line: as it is sent and as it arrives, before anybody understands it. Content is
//! counted, and what is said in a login is hidden.

use smtp::Command;
use tokio::time::Instant;

use super::handle::Trace;
use super::step::{End, Step};

/// The most octets of a server's line that are kept; no reply may have longer ones.
const LINE: usize = 2048;

/// Hears what passes over one connection. If it is dropped, the connection was closed by this relay, unless it knows better.
pub(crate) struct Tap {
    trace: Trace,
    /// The beginning of a line of the server.
    heard: Vec<u8>,
    /// Commands that are written together.
    said: Vec<String>,
    /// Whether the next lines are about a login: servers sometimes repeat what was said in it.
    in_login: bool,
    content: Option<Sent>,
    /// Whether it is told how the connection ends, or goes on without this.
    is_over: bool,
}

/// How much content was sent, since when, and when the last of it was.
struct Sent {
    octets: u64,
    began: Instant,
    last: Instant,
}

impl Tap {
    /// Tells this trace; nothing if nobody listens.
    pub(crate) fn of(trace: &Trace) -> Option<Box<Self>> {
        trace.is_on().then(|| {
            Box::new(Self {
                trace: trace.clone(),
                heard: Vec::new(),
                said: Vec::new(),
                in_login: false,
                content: None,
                is_over: false,
            })
        })
    }

    /// A command is to be sent, as these octets.
    pub(crate) fn queued(&mut self, command: &Command<'_>, octets: &[u8]) {
        self.in_login = matches!(
            command,
            Command::Auth(..) | Command::Response(_) | Command::CancelAuth
        );
        let text = match command {
            Command::Auth(mechanism, Some(_)) => format!("AUTH {} [hidden]", mechanism.as_str()),
            Command::Response(_) => "[hidden]".to_owned(),
            Command::Ehlo(_)
            | Command::Helo(_)
            | Command::StartTls
            | Command::Auth(_, None)
            | Command::CancelAuth
            | Command::MailFrom { .. }
            | Command::RcptTo(..)
            | Command::Data
            | Command::Rset
            | Command::Noop
            | Command::Quit => String::from_utf8_lossy(octets).trim_end().to_owned(),
        };
        self.said.push(text);
    }

    /// What was queued is being sent.
    pub(crate) fn flushed(&mut self) {
        self.end_content();
        for text in std::mem::take(&mut self.said) {
            self.trace.tell(|| Step::Client(&text));
        }
    }

    /// Content was sent.
    pub(crate) fn sent(&mut self, octets: usize, began: Instant) {
        let now = Instant::now();
        let sent = self.content.get_or_insert(Sent {
            octets: 0,
            began,
            last: now,
        });
        sent.octets = sent.octets.saturating_add(octets as u64);
        sent.last = now;
    }

    /// These octets have arrived.
    pub(crate) fn heard(&mut self, octets: &[u8]) {
        self.end_content();
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            let room = LINE.saturating_sub(self.heard.len());
            self.heard.extend_from_slice(part.get(..room).unwrap_or(part));
            if part.ends_with(b"\n") {
                self.line();
            }
        }
    }

    /// The server has closed the connection, or it broke.
    pub(crate) fn closed(&mut self) {
        self.end(End::ByServer);
    }

    /// The connection is kept for another message.
    pub(crate) fn kept(mut self) {
        self.end(End::Kept);
    }

    /// The connection goes on with a TLS handshake.
    pub(crate) fn handed_over(mut self) {
        self.flush();
        self.is_over = true;
    }

    fn end(&mut self, end: End) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.flush();
            self.trace.tell(|| Step::Closed(end));
        }
    }

    fn flush(&mut self) {
        self.end_content();
        if !self.heard.is_empty() {
            self.line();
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.heard);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut text = String::from_utf8_lossy(line).into_owned();
        if self.in_login {
            text = without_words(&text);
        }
        self.trace.tell(|| Step::Server(&text));
    }

    fn end_content(&mut self) {
        if let Some(Sent { octets, began, last }) = self.content.take() {
            let time = last.saturating_duration_since(began);
            self.trace.tell_at(last, || Step::Content { octets, time });
        }
    }
}

/// The code of a reply, and its enhanced status.
fn without_words(line: &str) -> String {
    let status = |word: &&str| word.parse::<mail::EnhancedStatus>().is_ok();
    let code = line.get(..4.min(line.len())).unwrap_or_default();
    let code = code.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '-');
    let is_code = code.len() >= 3 && code.starts_with(|c: char| c.is_ascii_digit());
    let code = if is_code { code } else { "" };
    let words = line.get(code.len()..).unwrap_or_default();
    let enhanced = words.split_whitespace().next().filter(status);
    let parts = [code, enhanced.unwrap_or_default(), "[hidden]"];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.end(End::ByUs);
    }
}
