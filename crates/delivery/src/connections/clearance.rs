//! What a connection has achieved, and whether that is enough.
//!
//! What was achieved never leaves its session: it is created next to the stream to which it applies ([`super::tls`]),
//! and from then on is a private part of the session's state ([`super::session`]).

use dane::{DaneProof, Match, PkixProof};
use policy::decision::Requirement;

/// What a connection has achieved. The variants that say that the server is the right one can be made only from a proof
/// that a verifier of crate `dane` issued for this handshake.
#[derive(Debug)]
pub(super) enum Achieved {
    /// TLS was not offered, or refused.
    Clear,
    /// The handshake broke on the connection before: it may work on the next one.
    ClearForNow,
    Encrypted,
    #[expect(dead_code, reason = "the proof is kept to be held, not to be read")]
    ByName(PkixProof),
    ByDane(DaneProof),
}

impl Achieved {
    /// Whether it meets `requirement`.
    pub(super) fn meets(&self, requirement: Requirement) -> bool {
        match (requirement, self) {
            (Requirement::Clear | Requirement::Opportunistic, _)
            | (Requirement::Encrypted, Self::Encrypted | Self::ByName(_) | Self::ByDane(_))
            | (Requirement::Pkix, Self::ByName(_))
            | (Requirement::Dane, Self::ByDane(_)) => true,
            (Requirement::DaneAndPkix | Requirement::Pkix, Self::ByDane(proof)) => proof.pkix().is_some(),
            (Requirement::Encrypted, Self::Clear | Self::ClearForNow)
            | (Requirement::Pkix, Self::Clear | Self::ClearForNow | Self::Encrypted)
            | (
                Requirement::Dane | Requirement::DaneAndPkix,
                Self::Clear | Self::ClearForNow | Self::Encrypted | Self::ByName(_),
            ) => false,
        }
    }

    /// Whether it is all that another connection would achieve.
    pub(super) fn is_best(&self) -> bool {
        match self {
            Self::Clear | Self::Encrypted | Self::ByName(_) | Self::ByDane(_) => true,
            Self::ClearForNow => false,
        }
    }

    /// The TLSA record that authenticated the server, if one did.
    pub(super) fn matched(&self) -> Option<&Match> {
        match self {
            Self::ByDane(proof) => Some(proof.matched()),
            Self::Clear | Self::ClearForNow | Self::Encrypted | Self::ByName(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_less_is_enough() {
        assert!(Achieved::Clear.meets(Requirement::Opportunistic));
        assert!(Achieved::Encrypted.meets(Requirement::Encrypted));
        assert!(!Achieved::ClearForNow.is_best() && Achieved::Clear.is_best());
        for requirement in [
            Requirement::Encrypted,
            Requirement::Pkix,
            Requirement::Dane,
            Requirement::DaneAndPkix,
        ] {
            assert!(!Achieved::Clear.meets(requirement), "{requirement:?}");
            assert!(!Achieved::ClearForNow.meets(requirement), "{requirement:?}");
        }
        for requirement in [Requirement::Pkix, Requirement::Dane, Requirement::DaneAndPkix] {
            assert!(!Achieved::Encrypted.meets(requirement), "{requirement:?}");
        }
    }
}
