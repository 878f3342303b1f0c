//! Permission to send, as a value.
//!
//! A [`Clearance`] says what a connection has achieved. Those for authentication can be made only from a proof that a
//! verifier of crate `dane` gave out; the code that sends MAIL FROM takes one that meets the requirement
//! ([`Clearance::meets`]) and cannot be called without.

use dane::{DaneProof, PkixProof};
use policy::decision::Requirement;

/// What a connection has achieved.
#[derive(Debug)]
pub(crate) struct Clearance(Achieved);

#[derive(Debug)]
#[expect(dead_code, reason = "the proofs are kept to be held, not to be read")]
enum Achieved {
    Clear,
    Encrypted,
    ByName(PkixProof),
    ByDane(DaneProof),
}

/// A clearance that meets the requirement of the connection: what MAIL FROM asks for.
#[derive(Debug)]
#[expect(dead_code, reason = "the proof is kept to be held, not to be read")]
pub(crate) struct Cleared(Achieved);

impl Clearance {
    pub(crate) fn clear() -> Self {
        Self(Achieved::Clear)
    }

    pub(crate) fn encrypted() -> Self {
        Self(Achieved::Encrypted)
    }

    pub(crate) fn by_name(proof: PkixProof) -> Self {
        Self(Achieved::ByName(proof))
    }

    pub(crate) fn by_dane(proof: DaneProof) -> Self {
        Self(Achieved::ByDane(proof))
    }

    /// `Some` if what was achieved meets `requirement`.
    pub(crate) fn meets(self, requirement: Requirement) -> Option<Cleared> {
        let enough = match (requirement, &self.0) {
            (Requirement::Opportunistic, _)
            | (Requirement::Encrypted, Achieved::Encrypted | Achieved::ByName(_) | Achieved::ByDane(_))
            | (Requirement::Pkix, Achieved::ByName(_))
            | (Requirement::Dane, Achieved::ByDane(_)) => true,
            (Requirement::DaneAndPkix | Requirement::Pkix, Achieved::ByDane(proof)) => proof.pkix().is_some(),
            (Requirement::Encrypted, Achieved::Clear)
            | (Requirement::Pkix, Achieved::Clear | Achieved::Encrypted)
            | (
                Requirement::Dane | Requirement::DaneAndPkix,
                Achieved::Clear | Achieved::Encrypted | Achieved::ByName(_),
            ) => false,
        };
        enough.then_some(Cleared(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_less_is_enough() {
        assert!(Clearance::clear().meets(Requirement::Opportunistic).is_some());
        assert!(Clearance::encrypted().meets(Requirement::Encrypted).is_some());
        for requirement in [
            Requirement::Encrypted,
            Requirement::Pkix,
            Requirement::Dane,
            Requirement::DaneAndPkix,
        ] {
            assert!(Clearance::clear().meets(requirement).is_none(), "{requirement:?}");
        }
        for requirement in [Requirement::Pkix, Requirement::Dane, Requirement::DaneAndPkix] {
            assert!(
                Clearance::encrypted().meets(requirement).is_none(),
                "{requirement:?}"
            );
        }
    }
}
