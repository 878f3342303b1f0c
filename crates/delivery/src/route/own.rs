//! Whether a host is this relay itself (D11).

use std::net::{IpAddr, SocketAddr};

use mail::Security;
use policy::facts::{Addresses, HostFindings};

/// How securely a host's addresses are known. An address given in the MX record itself is as secure as that record.
pub(super) fn known(findings: &HostFindings) -> Security {
    match findings {
        HostFindings::AddressLiteral | HostFindings::AddressName => Security::Secure,
        HostFindings::Named { addresses, .. } => match addresses {
            Addresses::Secure => Security::Secure,
            Addresses::Absent(security) | Addresses::Ignored(security) => *security,
            Addresses::Insecure
            | Addresses::SecureAlias
            | Addresses::OtherFamily
            | Addresses::Unresolvable(_) => Security::Insecure,
        },
    }
}

/// Whether a listener bound to `listen` answers at `address` and `port`. A listener bound to all addresses certainly
/// answers at loopback; the machine's other addresses are in `own_addresses`. Connections to the unspecified address
/// (0.0.0.0) reach this machine, too.
pub(super) fn listens_at(listen: SocketAddr, address: IpAddr, port: u16) -> bool {
    let at = listen.ip().to_canonical();
    let here = at == address || address.is_unspecified() || (at.is_unspecified() && address.is_loopback());
    listen.port() == port && here
}
