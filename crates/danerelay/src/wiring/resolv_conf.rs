//! The system's list of name servers, and whether it has changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dns::resolv_conf::{NameServer, PassedOver, ResolvConf};

/// Where the system lists its resolvers.
pub(crate) const PATH: &str = "/etc/resolv.conf";
/// Where Linux lists network interfaces and their numbers.
const INTERFACES: &str = "/sys/class/net";
/// At most this much of the file is read, in octets.
const LONGEST: u64 = 64 * 1024;
const DNS_PORT: u16 = 53;

/// The content of the file when it was last read.
#[derive(Debug, Clone)]
pub(crate) struct System {
    path: PathBuf,
    stamp: Option<Stamp>,
    conf: ResolvConf,
    servers: Vec<SocketAddr>,
    trouble: Option<String>,
    /// Whether a server's network interface is missing: it may appear without any change to the file.
    misses_interface: bool,
}

/// Identifies a state of the file: device, inode, size, and the times of its last changes, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([u64; 3], [(i64, i64); 2]);

impl System {
    /// Reads the file. It is not an error if the file is missing or names no server: it is read again when it changes.
    pub(crate) fn read(path: &Path) -> Self {
        let stamp = Stamp::of(path);
        let (octets, trouble) = match read(path) {
            Ok(octets) => (octets, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut conf = ResolvConf::parse(&octets);
        let (mut servers, mut misses_interface) = (Vec::new(), false);
        for server in &conf.name_servers {
            match address(server, Path::new(INTERFACES)) {
                Some(address) => servers.push(address),
                None => misses_interface = true,
            }
        }
        if misses_interface {
            let words = "a name server behind a network interface that does not exist";
            conf.passed_over.add(words.to_owned());
        }
        let trouble = trouble.or_else(|| servers.is_empty().then(|| "it names no name server".to_owned()));
        Self {
            path: path.to_owned(),
            stamp,
            conf,
            servers,
            trouble,
            misses_interface,
        }
    }

    /// The current content of the file; `None` if it has not changed.
    pub(crate) fn changed(&self) -> Option<Self> {
        let may_be_another = self.misses_interface || Stamp::of(&self.path) != self.stamp;
        may_be_another.then(|| self.again())
    }

    /// The current content of the file, whether it has changed or not.
    pub(crate) fn again(&self) -> Self {
        Self::read(&self.path)
    }

    /// Whether both would lead to the same look-ups.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.servers, self.conf.trust_ad, &self.trouble)
            == (&other.servers, other.conf.trust_ad, &other.trouble)
    }

    /// The servers, each on port 53.
    pub(crate) fn servers(&self) -> Vec<dns::Server> {
        self.servers.iter().copied().map(dns::Server::Plain).collect()
    }

    pub(crate) fn conf(&self) -> &ResolvConf {
        &self.conf
    }

    /// Why there is no server.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        Some(format!(
            "no DNS server is known: {}: {trouble}; mail waits until it names one, or `dns.servers` does",
            self.path.display()
        ))
    }

    /// Which parts of the file were ignored, if any.
    pub(crate) fn passed_over(&self) -> Option<&PassedOver> {
        Some(&self.conf.passed_over).filter(|passed_over| !passed_over.is_empty())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        let times = [
            (file.mtime(), file.mtime_nsec()),
            (file.ctime(), file.ctime_nsec()),
        ];
        Some(Self([file.dev(), file.ino(), file.size()], times))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The address of a server; `None` if it is on an interface that does not exist.
fn address(server: &NameServer, interfaces: &Path) -> Option<SocketAddr> {
    match (server.ip, &server.scope) {
        (IpAddr::V6(ip), Some(scope)) => {
            let number = scope
                .parse()
                .ok()
                .or_else(|| number_of(&interfaces.join(scope)))?;
            Some(SocketAddrV6::new(ip, DNS_PORT, 0, number).into())
        }
        (ip, _) => Some(SocketAddr::new(ip, DNS_PORT)),
    }
}

fn number_of(interface: &Path) -> Option<u32> {
    let number = fs::read_to_string(interface.join("ifindex")).ok()?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_file_is_another_when_it_is_replaced_written_or_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("resolv.conf");
        let missing = System::read(&path);
        assert!(missing.servers().is_empty());
        let trouble = missing.trouble().unwrap();
        assert!(trouble.contains("resolv.conf: No such file"), "{trouble}");
        assert!(missing.changed().is_none());

        fs::write(&path, "").unwrap();
        let empty = missing.changed().unwrap();
        assert!(empty.trouble().unwrap().contains("it names no name server"));
        assert!(empty.servers().is_empty(), "and nothing is made up");

        fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        let named = empty.changed().unwrap();
        assert_eq!(named.trouble(), None);
        assert!(!named.is_like(&empty));
        assert!(named.changed().is_none());

        // As DHCP clients do it; the size stays the same.
        let new = directory.path().join("new");
        fs::write(&new, "nameserver 192.0.2.2\n").unwrap();
        fs::rename(&new, &path).unwrap();
        let other = named.changed().unwrap();
        assert_eq!(other.servers()[0].to_string(), "192.0.2.2:53");
        assert!(other.is_like(&other.again()));

        fs::remove_file(&path).unwrap();
        assert!(other.changed().unwrap().servers().is_empty());
        // A file that cannot be read does not end it either.
        fs::create_dir(&path).unwrap();
        assert!(other.changed().unwrap().trouble().is_some());
    }

    #[test]
    fn a_server_behind_an_interface_has_its_number() {
        let interfaces = tempfile::tempdir().unwrap();
        fs::create_dir(interfaces.path().join("eth0")).unwrap();
        fs::write(interfaces.path().join("eth0/ifindex"), "7\n").unwrap();
        let told = |text: &str| {
            let conf = ResolvConf::parse(format!("nameserver {text}\n").as_bytes());
            let address = address(&conf.name_servers[0], interfaces.path());
            address.map(|address| address.to_string())
        };
        assert_eq!(told("fe80::1%eth0").unwrap(), "[fe80::1%7]:53");
        assert_eq!(told("fe80::1%3").unwrap(), "[fe80::1%3]:53");
        assert_eq!(told("fe80::1%eth1"), None);
        assert_eq!(told("2001:db8::1").unwrap(), "[2001:db8::1]:53");
    }

    #[test]
    fn an_interface_that_does_not_exist_yet_is_looked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("resolv.conf");
        fs::write(&path, "nameserver 192.0.2.1\nnameserver fe80::1%no-such-one\n").unwrap();
        let system = System::read(&path);
        assert_eq!(system.servers().len(), 1);
        let passed_over = system.passed_over().unwrap().to_string();
        assert!(passed_over.contains("network interface"), "{passed_over}");
        assert!(system.changed().unwrap().is_like(&system));
    }
}
