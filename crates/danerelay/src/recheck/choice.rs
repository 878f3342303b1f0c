//! Which entries of danefail lists are tested on a day: those to which there is mail, and in turn a share of the rest.

use std::collections::BTreeSet;

use mail::Domain;
use policy::Policy;

use super::subject::{Subject, danefail_lists, listed};

/// The most entries that are tested on a day: a list may have a million of them.
pub(crate) const A_DAY: usize = 10_000;
/// The most of them that are tested because there is mail for them.
pub(crate) const USED: usize = 5_000;

/// An entry to be tested.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) subject: Subject,
    /// With which entry, counted over all lists, it goes on after this one.
    pub(crate) next: usize,
}

/// The entries of today: those in `used`, and others from the entry `begin` on.
pub(crate) fn choose(policy: &Policy, used: &BTreeSet<Domain>, begin: usize) -> Vec<Chosen> {
    choose_most(policy, used, begin, A_DAY)
}

fn choose_most(policy: &Policy, used: &BTreeSet<Domain>, begin: usize, most: usize) -> Vec<Chosen> {
    let lists = || danefail_lists(policy);
    let all: usize = lists().map(|list| list.names.len()).sum();
    let Some(begin) = begin.checked_rem(all) else {
        return Vec::new();
    };
    let mut chosen = Vec::new();
    for name in used {
        let entry = lists().find_map(|list| Some((list, list.names.line_of(name)?)));
        if let Some((list, line)) = entry {
            chosen.push(Chosen {
                subject: listed(list, name.clone(), line),
                next: begin,
            });
        }
    }
    let entries = || lists().flat_map(|list| list.names.iter().map(move |(name, line)| (list, name, line)));
    let turn = entries().skip(begin).chain(entries().take(begin));
    for ((list, name, line), passed) in turn.zip(1..) {
        if chosen.len() >= most {
            break;
        }
        if let Ok(name) = Domain::parse(name)
            && !used.contains(&name)
        {
            chosen.push(Chosen {
                subject: listed(list, name, line),
                next: begin.saturating_add(passed) % all,
            });
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io;
    use std::path::Path;

    use policy::{Fetched, Missing, Sources, Text};

    use super::*;

    fn policy() -> Policy {
        let text = "version = 1\n[[list]]\nkind = \"danefail\"\nfile = \"one\"\n[[list]]\nkind = \"danefail\"\nfile = \"two\"\n\
                    dane = \"soft-fail\"\n[[list]]\nkind = \"strict\"\nfile = \"strict\"\n";
        let compiled = Policy::compile(&Sources {
            policy: Text {
                file: Path::new("policy.toml"),
                text,
            },
            added: None,
            read: &|path| {
                Ok(match path.to_str() {
                    Some("one") => "a.example\nb.example\nc.example\n",
                    Some("two") => "# more\nd.example\ne.example\n",
                    _ => "s.example\n",
                }
                .to_owned())
            },
            fetched: &|_| Fetched::Never(Missing::Warned),
            read_login: &|_| Err(io::ErrorKind::NotFound.into()),
            today: jiff::civil::date(2026, 11, 29),
        });
        compiled.unwrap().0
    }

    fn chosen(used: &[&str], begin: usize, most: usize) -> (Vec<String>, usize) {
        let used = used.iter().map(|name| Domain::parse(name).unwrap()).collect();
        let choice = choose_most(&policy(), &used, begin, most);
        let of = |one: &Chosen| {
            let subject = &one.subject;
            format!(
                "{} {} {}",
                subject.tested.names(),
                subject.place(),
                subject.meaning
            )
        };
        let next = choice.last().map_or(begin, |last| last.next);
        (choice.iter().map(of).collect(), next)
    }

    #[test]
    fn every_entry_has_its_turn_and_those_with_mail_each_day() {
        let [one, two, three, four, five] = [
            "a.example one:1 off",
            "b.example one:2 off",
            "c.example one:3 off",
            "d.example two:2 soft-fail",
            "e.example two:3 soft-fail",
        ]
        .map(str::to_owned);
        assert_eq!(chosen(&[], 0, 2), (vec![one.clone(), two.clone()], 2));
        assert_eq!(chosen(&[], 2, 2), (vec![three.clone(), four.clone()], 4));
        assert_eq!(chosen(&[], 4, 2), (vec![five.clone(), one.clone()], 1));
        // Nobody is tested twice, and what is on no list is not.
        let used = ["d.example", "x.example", "s.example"];
        assert_eq!(
            chosen(&used, 2, 3),
            (vec![four.clone(), three.clone(), five.clone()], 0)
        );
        // A list that was longer before.
        assert_eq!(chosen(&[], 7, 9).0, [three, four, five, one, two]);
    }
}
