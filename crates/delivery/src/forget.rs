//! Of which destinations and receiving hosts everything that was learned is forgotten, at the administrator's command.

use std::collections::HashSet;
use std::net::IpAddr;

use mail::{Domain, NextHop};

/// What is forgotten.
#[derive(Debug, Clone)]
pub enum Forget {
    /// Everything.
    All,
    /// What was learned about next hops and hosts with these names.
    Below(Names),
    /// What was learned about exactly these next hops, and about hosts with these names.
    NextHops(Vec<NextHop>, Names),
}

/// Names of next hops and hosts, each with all names below it; and addresses.
#[derive(Debug, Clone, Default)]
pub struct Names {
    names: HashSet<String>,
    addresses: HashSet<IpAddr>,
}

impl Names {
    /// Adds a name.
    pub fn add(&mut self, name: &Domain) {
        self.names.insert(name.as_str().to_owned());
    }

    /// Adds the name or the address of a next hop.
    pub fn add_next_hop(&mut self, next_hop: &NextHop) {
        match next_hop {
            NextHop::Domain { domain, .. } => self.add(domain),
            NextHop::Host { host, .. } => self.add(host),
            NextHop::Address { address, .. } => {
                self.addresses.insert(*address);
            }
        }
    }

    pub(crate) fn have(&self, name: &Domain) -> bool {
        let mut rest = Some(name.as_str());
        while let Some(name) = rest {
            if self.names.contains(name) {
                return true;
            }
            rest = name.split_once('.').map(|(_, parent)| parent);
        }
        false
    }

    pub(crate) fn have_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }

    pub(crate) fn have_next_hop(&self, next_hop: &NextHop) -> bool {
        match next_hop {
            NextHop::Domain { domain, .. } => self.have(domain),
            NextHop::Host { host, .. } => self.have(host),
            NextHop::Address { address, .. } => self.have_address(*address),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_meant_with_all_below_it_and_nothing_beside_it() {
        let mut names = Names::default();
        names.add(&"b.example".parse().unwrap());
        names.add_next_hop(&"[mx.c.example]:587".parse().unwrap());
        names.add_next_hop(&"[192.0.2.1]".parse().unwrap());
        for (next_hop, expected) in [
            ("b.example", true),
            ("[mx.b.example]:26", true),
            ("ab.example", false),
            ("example", false),
            ("c.example", false),
            ("a.mx.c.example", true),
            ("[192.0.2.1]:26", true),
            ("[192.0.2.2]", false),
        ] {
            assert_eq!(
                names.have_next_hop(&next_hop.parse().unwrap()),
                expected,
                "{next_hop}"
            );
        }
    }
}
