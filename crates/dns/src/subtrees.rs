//! Many names at once, each with everything below it.

use std::collections::HashSet;

use hickory_proto::rr::Name;

/// Some names, with everything below and above them.
pub(crate) struct Subtrees {
    tops: HashSet<Name>,
    above: HashSet<Name>,
}

impl Subtrees {
    pub(crate) fn new(tops: &[Name]) -> Self {
        Self {
            tops: tops.iter().cloned().collect(),
            above: tops.iter().flat_map(with_ancestors).collect(),
        }
    }

    /// Whether a name is one of them or below one.
    pub(crate) fn reach_down_to(&self, name: &Name) -> bool {
        with_ancestors(name).any(|ancestor| self.tops.contains(&ancestor))
    }

    /// Whether a name is one of them or above one.
    pub(crate) fn reach_up_to(&self, name: &Name) -> bool {
        self.above.contains(name)
    }
}

/// The name itself and all names above it, including the root.
fn with_ancestors(name: &Name) -> impl Iterator<Item = Name> {
    (0..=name.iter().count()).map(|labels| name.trim_to(labels))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_above_or_below_or_neither() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let trees = Subtrees::new(&[name("a.test."), name("*.b.test.")]);
        for (other, down, up) in [
            ("a.test.", true, true),
            ("x.y.a.test.", true, false),
            ("x.*.b.test.", true, false),
            ("b.test.", false, true),
            ("test.", false, true),
            (".", false, true),
            ("c.test.", false, false),
            ("xa.test.", false, false),
        ] {
            let found = (trees.reach_down_to(&name(other)), trees.reach_up_to(&name(other)));
            assert_eq!(found, (down, up), "{other}");
        }
        assert!(Subtrees::new(&[Name::root()]).reach_down_to(&name("any.test.")));
    }
}
