//! The page that shows what came of it: `docs/conformance/judges.md`.

use std::fmt::Write as _;

use crate::programs::{Opinions, Says};
use crate::reasons::Reason;
use crate::stage::Set;

const INTRODUCTION: &str = "\
# Other judges

`danerelay check` beside other programs that verify DANE, over a small world with every fault: a signed tree in one process,
Unbound as the validating resolver in front of it, and a receiving server for each domain. The test `judges` in `tests/` makes
this page, and fails if a verdict changes, or if one differs and is not explained here.

- `posttls-finger -l dane` is Postfix's own client: it looks everything up itself, and speaks SMTP.
- `openssl s_client -starttls smtp -dane_tlsa_domain …` gets the records that `dig` finds with the AD bit, and verifies what the
  server shows, for the host's name alone.
- `ldns-dane verify` looks the records up; it speaks no STARTTLS, and gets the server's chain from a file.
- `danetool --check --starttls-proto smtp` (GnuTLS) looks the records up by a validator of its own, and connects.

*accepts*: authenticated; *refuses*: no mail may go there; *no DANE*: there is nothing to authenticate the server by; *undecided*:
nothing can be told now.
";

/// One row.
pub(crate) struct Row {
    pub(crate) set: Set,
    pub(crate) opinions: Opinions,
}

impl Row {
    fn others(&self) -> [(&'static str, Says); 4] {
        [
            ("posttls-finger", self.opinions.postfix),
            ("openssl", self.opinions.openssl),
            ("ldns-dane", self.opinions.ldns),
            ("danetool", self.opinions.danetool),
        ]
    }

    /// Those that say something else.
    fn dissenters(&self) -> Vec<&'static str> {
        let others = self.others().into_iter();
        let differ = others.filter(|(_, says)| *says != self.opinions.ours && *says != Says::NotAsked);
        differ.map(|(name, _)| name).collect()
    }

    fn explains(&self, reason: &Reason) -> bool {
        reason.scenes.iter().any(|label| label == self.set.scene.label)
    }
}

/// Every difference has a reason, and every reason a difference.
pub(crate) fn unexplained(rows: &[Row], reasons: &[Reason]) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in rows {
        let dissenters = row.dissenters();
        let reasons: Vec<&Reason> = reasons.iter().filter(|reason| row.explains(reason)).collect();
        for judge in &dissenters {
            if !reasons.iter().any(|reason| reason.judge == *judge) {
                wrong.push(format!(
                    "{}: {judge} differs from {}, and nobody says why:\n{}",
                    row.set.scene.label,
                    row.opinions.ours.as_str(),
                    row.opinions.words
                ));
            }
        }
        for Reason { judge, words, .. } in reasons {
            if !dissenters.contains(&judge.as_str()) {
                wrong.push(format!(
                    "{}: {judge} agrees, against {words:?}",
                    row.set.scene.label
                ));
            }
        }
    }
    wrong
}

pub(crate) fn text(rows: &[Row], reasons: &[Reason]) -> String {
    let mut page = INTRODUCTION.to_owned();
    let agreed = rows.iter().filter(|row| row.dissenters().is_empty()).count();
    let _ = writeln!(
        page,
        "\n{} domains; about {agreed} of them all agree.\n",
        rows.len()
    );
    page.push_str("| | domain | danerelay | posttls-finger | openssl | ldns-dane | danetool | differs |\n");
    page.push_str("|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let cells: Vec<&str> = row.others().iter().map(|(_, says)| says.as_str()).collect();
        let numbers: Vec<String> = (1..)
            .zip(reasons)
            .filter(|(_, reason)| row.explains(reason))
            .map(|(number, _): (usize, _)| number.to_string())
            .collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            row.set.scene.label,
            row.set.scene.what,
            row.opinions.ours.as_str(),
            cells.join(" | "),
            numbers.join(", ")
        );
    }
    page.push_str("\n## Differences\n\n");
    for (number, Reason { judge, words, .. }) in (1..).zip(reasons) {
        let _ = writeln!(page, "{number}. `{judge}`: {words}");
    }
    page
}
