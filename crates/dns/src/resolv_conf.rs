//! resolv.conf, read as the C library does (resolv.conf(5), glibc's `res_init`): unknown entries are skipped, and so are
//! words after an address, octets that are not text, and name servers after the third.
//!
//! A server missing from the list could stop all mail, so nothing here is an error; what was skipped is reported.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many name servers count (glibc's MAXNS).
const NAME_SERVERS: usize = 3;
/// How much of what was skipped is reported: this many places, and this many characters of each.
const TOLD: usize = 4;
const CHARACTERS: usize = 40;
/// The longest name of a network interface, in octets (Linux's IFNAMSIZ, less its end).
const INTERFACE: usize = 15;

/// Directives for search lists and the like: known, but irrelevant for mail.
const OTHER_DIRECTIVES: [&str; 3] = ["domain", "search", "sortlist"];
/// Options of the C library's own resolver. Those that end in a colon are followed by a number.
const OTHER_OPTIONS: [&str; 14] = [
    "attempts:",
    "debug",
    "edns0",
    "inet6",
    "ip6-bytestring",
    "ip6-dotint",
    "ndots:",
    "no-aaaa",
    "no-check-names",
    "no-ip6-dotint",
    "no-reload",
    "no-tld-query",
    "rotate",
    "single-request",
];
const MORE_OPTIONS: [&str; 4] = ["single-request-reopen", "timeout:", "use-vc", "strict-error"];

/// The parts of a resolv.conf that concern us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvConf {
    /// The name servers, in order, three at most.
    pub name_servers: Vec<NameServer>,
    /// Whether there is `options trust-ad`: the system's own statement that these servers may be believed.
    pub trust_ad: bool,
    /// What was passed over.
    pub passed_over: PassedOver,
}

/// The address of a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// The address.
    pub ip: IpAddr,
    /// The interface over which it is reached, by name or number: `eth0` in `fe80::1%eth0` (RFC 4007 §11).
    pub scope: Option<String>,
}

/// What was skipped: the first few places in words, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PassedOver {
    told: Vec<String>,
    count: usize,
}

impl ResolvConf {
    /// Reads the octets of the file.
    pub fn parse(octets: &[u8]) -> Self {
        let mut read = Self::default();
        for (index, line) in octets.split(|octet| *octet == b'\n').enumerate() {
            // For C a text ends there.
            let line = line.split(|octet| *octet == 0).next().unwrap_or_default();
            read.line(index.saturating_add(1), &String::from_utf8_lossy(line));
        }
        read
    }

    fn line(&mut self, number: usize, line: &str) {
        if line.starts_with(['#', ';']) || line.trim().is_empty() {
            return;
        }
        let (directive, rest) = line.split_once([' ', '\t']).unwrap_or((line.trim_end(), ""));
        let mut words = rest.split_ascii_whitespace();
        match directive {
            "nameserver" => self.name_server(number, line, words),
            "options" => {
                for word in words.by_ref().take_while(|word| !word.starts_with(['#', ';'])) {
                    self.option(number, word);
                }
            }
            _ if OTHER_DIRECTIVES.contains(&directive) => {}
            _ => self.passed_over.note(number, "unknown", line),
        }
    }

    fn name_server<'a>(&mut self, number: usize, line: &str, mut words: impl Iterator<Item = &'a str>) {
        let Some(server) = words.next().and_then(NameServer::parse) else {
            return self.passed_over.note(number, "no address", line);
        };
        if self.name_servers.len() == NAME_SERVERS {
            return self
                .passed_over
                .note(number, "the fourth name server or a later one", line);
        }
        self.name_servers.push(server);
        if words.next().is_some_and(|word| !word.starts_with(['#', ';'])) {
            self.passed_over.note(number, "words behind the address", line);
        }
    }

    fn option(&mut self, number: usize, word: &str) {
        let known = |option: &&str| match option.strip_suffix(':') {
            Some(_) => word.starts_with(*option),
            None => word == *option,
        };
        match word {
            "trust-ad" => self.trust_ad = true,
            _ if OTHER_OPTIONS.iter().chain(&MORE_OPTIONS).any(known) => {}
            _ => self.passed_over.note(number, "unknown option", word),
        }
    }
}

impl NameServer {
    fn parse(word: &str) -> Option<Self> {
        if let Some(ip) = ipv4(word) {
            let (ip, scope) = (ip.into(), None);
            return Some(Self { ip, scope });
        }
        let (ip, scope) = match word.split_once('%') {
            Some((ip, scope)) => (ip, Some(interface(scope)?)),
            None => (word, None),
        };
        let ip = ip.parse::<Ipv6Addr>().ok()?.into();
        Some(Self { ip, scope })
    }
}

fn interface(name: &str) -> Option<String> {
    let is_name =
        (1..=INTERFACE).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() && c != '/');
    is_name.then(|| name.to_owned())
}

/// An IPv4 address in any form that `inet_aton` accepts: one to four numbers, decimal, octal or hexadecimal, the last of
/// which fills the remaining octets.
fn ipv4(word: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u32> = word.split('.').map(number).collect::<Option<_>>()?;
    let (last, octets) = numbers.split_last()?;
    let left = 4_usize.checked_sub(octets.len()).filter(|left| *left > 0)?;
    let mut address = *last;
    if left < 4 && u64::from(*last) >> (8 * left) != 0 {
        return None;
    }
    for (octet, shift) in octets.iter().zip([24, 16, 8]) {
        address |= u32::from(u8::try_from(*octet).ok()?) << shift;
    }
    Some(address.into())
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    // Only Rust accepts a sign before the digits.
    let first = digits.chars().next()?;
    first
        .is_digit(radix)
        .then(|| u32::from_str_radix(digits, radix).ok())?
}

impl PassedOver {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds something, in words.
    pub fn add(&mut self, words: String) {
        self.count = self.count.saturating_add(1);
        if self.told.len() < TOLD {
            self.told.push(words);
        }
    }

    fn note(&mut self, line: usize, what: &str, text: &str) {
        let printable = text.trim().chars().map(|c| match c {
            ' '..='~' if c != '`' => c,
            _ => '?',
        });
        let text: String = printable.take(CHARACTERS).collect();
        self.add(format!("line {line} (`{text}`: {what})"));
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.join(", "))?;
        match self.count.saturating_sub(self.told.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        let read = ResolvConf::parse(text.as_bytes());
        let servers = read.name_servers.into_iter();
        servers
            .map(|server| match server.scope {
                Some(scope) => format!("{}%{scope}", server.ip),
                None => server.ip.to_string(),
            })
            .collect()
    }

    fn passed_over(text: &str) -> String {
        ResolvConf::parse(text.as_bytes()).passed_over.to_string()
    }

    #[test]
    fn what_concerns_us_is_read_from_among_everything_else() {
        let text = "# by hand\n; too\n\ndomain example.org\nsearch a.example b.example\nsortlist 192.0.2.0/24\n\
                    nameserver 127.0.0.1\nnameserver\t::1\noptions ndots:2 timeout:1 edns0 trust-ad rotate # well\n";
        let read = ResolvConf::parse(text.as_bytes());
        assert_eq!(servers(text), ["127.0.0.1", "::1"]);
        assert!(read.trust_ad && read.passed_over.is_empty(), "{read:?}");
        assert_eq!(ResolvConf::parse(b""), ResolvConf::default());
    }

    #[test]
    fn what_is_unknown_takes_nothing_with_it() {
        let text = "frobnicate on\nnameserver\nnameserver example.org\nnameserver 192.0.2.1 192.0.2.2\n nameserver 192.0.2.3\n\
                    options no-such-thing trust-ad\nnameserver 192.0.2.4 # the last\nnameservers 192.0.2.5\n";
        assert_eq!(servers(text), ["192.0.2.1", "192.0.2.4"]);
        assert!(ResolvConf::parse(text.as_bytes()).trust_ad);
        assert_eq!(
            passed_over(text),
            "line 1 (`frobnicate on`: unknown), line 2 (`nameserver`: no address), \
             line 3 (`nameserver example.org`: no address), \
             line 4 (`nameserver 192.0.2.1 192.0.2.2`: words behind the address) and 3 more"
        );
    }

    #[test]
    fn octets_that_are_no_text_and_other_ends_of_lines_do_no_harm() {
        let octets = b"\xef\xbb\xbf# mark\n\xff\xfe\x1b[2J`\nnameserver 192.0.2.1\r\noptions trust-ad\r\nnameserver 192.0.2.2\0\xff\n";
        let read = ResolvConf::parse(octets);
        assert_eq!(read.name_servers.len(), 2);
        assert!(read.trust_ad);
        assert_eq!(
            read.passed_over.to_string(),
            "line 1 (`?# mark`: unknown), line 2 (`???[2J?`: unknown)"
        );
        let long = format!("x{}", "y".repeat(1000));
        assert!(passed_over(&long).len() < 80);
    }

    #[test]
    fn no_more_than_three_servers_count() {
        let text = "nameserver 192.0.2.1\n".repeat(5);
        assert_eq!(servers(&text).len(), 3);
        assert!(passed_over(&text).starts_with("line 4 ("));
    }

    #[test]
    fn addresses_have_the_forms_of_the_c_library() {
        for (text, address) in [
            ("127.1", "127.0.0.1"),
            ("0x7f.0.0.1", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("192.0.513", "192.0.2.1"),
            ("0", "0.0.0.0"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("fe80::1%2", "fe80::1%2"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ] {
            assert_eq!(servers(&format!("nameserver {text}\n")), [address], "{text}");
        }
        for text in [
            "256.0.0.1",
            "1.2.3.4.5",
            "1.2.3.256",
            "192.0.65536",
            "4294967296",
            "1..2",
            ".1",
            "1.",
            "+1",
            "-1",
            "08",
            "0x",
            "fe80::1%",
            "fe80::1%a/b",
            "[::1]",
            "127.0.0.1:53",
            "192.0.2.1%eth0",
            "fe80::1%interface-of-16xx",
        ] {
            assert_eq!(servers(&format!("nameserver {text}\n")), [""; 0], "{text}");
        }
    }
}
