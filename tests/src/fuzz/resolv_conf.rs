//! The system's list of name servers.

use dns::resolv_conf::ResolvConf;

/// Whatever else it contains, the entries that concern us are found, and what is reported about the rest is short and
/// printable.
pub fn resolv_conf(octets: &[u8]) {
    let read = ResolvConf::parse(octets);
    assert!(read.name_servers.len() <= 3);
    for scope in read
        .name_servers
        .iter()
        .filter_map(|server| server.scope.as_ref())
    {
        assert!(
            (1..=15).contains(&scope.len()) && !scope.contains('/'),
            "{scope:?}"
        );
    }
    let told = read.passed_over.to_string();
    assert!(
        told.len() < 600 && told.bytes().all(|octet| matches!(octet, b' '..=b'~')),
        "{told}"
    );
    assert_eq!(read.passed_over.is_empty(), told.is_empty());

    // One more line takes nothing away.
    let more = ResolvConf::parse(&[octets, b"\nnameserver 192.0.2.77\noptions trust-ad\n"].concat());
    assert!(more.trust_ad);
    assert!(more.name_servers.starts_with(&read.name_servers));
    assert_eq!(more.name_servers.len(), (read.name_servers.len() + 1).min(3));
    // Nor do unknown lines.
    let junk = ResolvConf::parse(&[b"frobnicate \xff\n", octets].concat());
    assert_eq!(
        (&junk.name_servers, junk.trust_ad),
        (&read.name_servers, read.trust_ad)
    );
    assert!(!junk.passed_over.is_empty());
}
