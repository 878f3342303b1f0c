//! Tables of Postfix (`postconf(5)`, `smtp_tls_policy_maps`): a next hop, its level and attributes.

use policy::pattern::Pattern;

use super::imported::Imported;

/// A security level of Postfix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    None,
    May,
    Encrypt,
    Dane,
    DaneOnly,
    Fingerprint,
    Verify,
    Secure,
}

impl Level {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "may" => Self::May,
            "encrypt" => Self::Encrypt,
            "dane" => Self::Dane,
            "dane-only" => Self::DaneOnly,
            "fingerprint" => Self::Fingerprint,
            "verify" => Self::Verify,
            "secure" => Self::Secure,
            _ => return None,
        })
    }

    /// Whether the certificate must be issued for a name by an authority that is trusted.
    const fn compares_names(self) -> bool {
        matches!(self, Self::Verify | Self::Secure)
    }
}

/// Whether a line has a name and a level.
pub(super) fn is_entry(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let has_name = words.next().is_some_and(|name| !name.starts_with('#'));
    has_name && words.next().and_then(Level::of).is_some()
}

/// Reads a table. Lines that begin with blanks continue the one before.
pub(super) fn read(text: &str) -> Imported {
    let mut imported = Imported::default();
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => before.push_str(line),
            Some(_) | None => lines.push((number, line.to_owned())),
        }
    }
    for (number, line) in lines {
        if let Err(fault) = entry(number, &line, &mut imported) {
            imported.faults.push(format!("line {number}: {fault}"));
        }
    }
    imported
}

fn entry(number: usize, line: &str, imported: &mut Imported) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(word)) = (words.next(), words.next()) else {
        return Err("allowed: a domain and a level".to_owned());
    };
    if name.starts_with('[') || name.contains(':') {
        return Err(format!(
            "{name} is a next hop of its own: here rules are about the recipient's domain, and a [[domain]] with route is needed"
        ));
    }
    let names: Pattern = name.parse().map_err(|error| format!("{name}: {error}"))?;
    let level = Level::of(word).ok_or_else(|| format!("{name}: {word:?} is no level of Postfix"))?;
    let keys = match level {
        Level::None => "tls = \"off\"\n",
        Level::Encrypt => "tls = \"encrypt\"\n",
        Level::May | Level::Dane => "",
        Level::DaneOnly => "dane = \"strict\"\n",
        Level::Verify => "tls = \"verify\"\n",
        Level::Secure => {
            "tls = \"verify\"\n# route = \"[HOST]\"  # the server by its name, so that a forged MX record changes nothing\n"
        }
        Level::Fingerprint => return Err(format!("{name}: there is no level fingerprint here")),
    };
    if !keys.is_empty() {
        imported
            .rules
            .push(format!("[[domain]]\nmatch = \"{names}\"\n{keys}"));
    }
    if matches!(level, Level::None | Level::May | Level::Encrypt) {
        let reason = format!("{word} in Postfix's smtp_tls_policy_maps");
        imported.excepted.push((names, Some(reason)));
    }
    let mut weakened = |what: &str| imported.weakened.push(format!("line {number}: {name}: {what}"));
    if level == Level::Secure {
        weakened(
            "weaker than in Postfix: secure compares the certificate with the recipient's domain or with match=, \
             tls = \"verify\" with the name in the MX record, which can be forged; set route in its rule",
        );
    }
    for attribute in words {
        match Attribute::of(attribute, level) {
            Attribute::Met => {}
            Attribute::Weakened(why) => {
                weakened(&format!("weaker than in Postfix: without {attribute}, {why}"));
            }
            Attribute::Ignored => {
                let ignored = format!("line {number}: {name}: {attribute} is not taken over");
                imported.ignored.push(ignored);
            }
        }
    }
    Ok(())
}

/// What becomes of an attribute.
enum Attribute {
    /// What it demands is so here in any case, or of no account at its level.
    Met,
    /// The rule demands less without it, and why.
    Weakened(&'static str),
    /// It is left out, and that weakens nothing.
    Ignored,
}

impl Attribute {
    fn of(text: &str, level: Level) -> Self {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        match key {
            "match" if level == Level::Verify && value != "hostname" => {
                Self::Weakened("the certificate is compared with the name in the MX record")
            }
            "tafile" if level.compares_names() => {
                Self::Weakened("any authority that is trusted here may issue the certificate")
            }
            "protocols" if demands_tls_1_3(value) => Self::Weakened("TLS 1.2 is enough"),
            // All that is offered is of the strongest grade; of the level secure it is said already; versions before TLS 1.2
            // are never used.
            "ciphers" | "match" | "protocols" => Self::Met,
            _ => Self::Ignored,
        }
    }
}

/// Of what can be demanded of the version, only this is more than there is here.
fn demands_tls_1_3(protocols: &str) -> bool {
    let mut words = protocols.split([':', ',', ';']);
    protocols.eq_ignore_ascii_case("TLSv1.3")
        || words.any(|word| {
            [">=TLSv1.3", ">=0304", "!TLSv1.2"]
                .iter()
                .any(|more| word.eq_ignore_ascii_case(more))
        })
}

#[cfg(test)]
mod tests {
    use super::super::imported::shown;
    use super::*;

    #[test]
    fn a_table_of_postfix_is_exceptions_and_rules() {
        let text = "# policy\nweak.example may\n.below.example  none\nenc.example\n  encrypt ciphers=high\n\
                    strict.example dane-only\nsure.example verify match=hostname\ndane.example dane\n\
                    [mx.example]:587 encrypt\nfinger.example fingerprint\nodd.example maybe\n";
        let imported = read(text);
        let names: Vec<String> = shown(&imported).into_iter().map(|(names, _)| names).collect();
        assert_eq!(names, ["weak.example", ".below.example", "enc.example"]);
        assert_eq!(
            imported.rules,
            [
                "[[domain]]\nmatch = \".below.example\"\ntls = \"off\"\n",
                "[[domain]]\nmatch = \"enc.example\"\ntls = \"encrypt\"\n",
                "[[domain]]\nmatch = \"strict.example\"\ndane = \"strict\"\n",
                "[[domain]]\nmatch = \"sure.example\"\ntls = \"verify\"\n",
            ]
        );
        assert_eq!(places(&imported.faults), ["line 9", "line 10", "line 11"]);
        assert!(imported.weakened.is_empty() && imported.ignored.is_empty());
    }

    #[test]
    fn what_demands_less_than_before_is_named() {
        let text = "bank.example secure match=bank.example:.bank.example tafile=/etc/x.pem\n\
                    one.example verify match=nexthop\nsmooth.example verify protocols=!SSLv3,!TLSv1 match=hostname\n\
                    new.example encrypt protocols=>=TLSv1.3 servername=hostname\nlast.example encrypt protocols=TLSv1.3\n\
                    old.example encrypt protocols=TLSv1.2:TLSv1.3\nnone.example may tafile=/etc/x.pem\n";
        let imported = read(text);
        assert_eq!(
            places(&imported.weakened),
            ["line 1", "line 1", "line 2", "line 4", "line 5"]
        );
        assert_eq!(places(&imported.ignored), ["line 4", "line 7"]);
        assert!(imported.faults.is_empty());
        // The way out stands in the rule.
        assert!(
            imported
                .rules
                .iter()
                .any(|rule| rule.contains("bank.example") && rule.contains("\n# route = "))
        );
    }

    fn places(remarks: &[String]) -> Vec<&str> {
        remarks
            .iter()
            .filter_map(|remark| remark.split(':').next())
            .collect()
    }
}
