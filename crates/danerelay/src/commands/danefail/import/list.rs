//! Lists in the form of danefail.org.

use super::imported::Imported;

/// One domain a line. What stands behind it, or else in the comment before it, is the reason.
pub(super) fn read(text: &str) -> Imported {
    let mut imported = Imported::default();
    let (mut comment, mut is_new): (Vec<&str>, bool) = (Vec::new(), true);
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let (name, behind) = match line.split_once('#') {
            Some((name, behind)) => (name.trim(), behind.trim_matches(['#', ' ', '\t', '-'])),
            None => (line.trim(), ""),
        };
        if name.is_empty() {
            if is_new && !behind.is_empty() {
                comment.clear();
            }
            is_new = is_new && behind.is_empty();
            if !behind.is_empty() {
                comment.push(behind);
            }
            continue;
        }
        is_new = true;
        match name.parse() {
            Ok(pattern) => {
                let reason = Some(behind).filter(|behind| !behind.is_empty());
                let reason = reason.or(comment.first().copied()).map(str::to_owned);
                imported.excepted.push((pattern, reason));
            }
            Err(error) => imported.faults.push(format!("line {number}: {error}")),
        }
    }
    imported
}

#[cfg(test)]
mod tests {
    use super::super::imported::shown;
    use super::*;

    #[test]
    fn comments_of_a_list_are_its_reasons() {
        let text = "# -----\n# DNS problems\n#\n## more\nA.example\nb.example # no denial\n\n## Sites at c\n# more\n\nc.example\nno name\n";
        let imported = read(text);
        assert_eq!(
            shown(&imported),
            [
                ("a.example".to_owned(), "DNS problems"),
                ("b.example".to_owned(), "no denial"),
                ("c.example".to_owned(), "Sites at c"),
            ]
        );
        assert_eq!(imported.faults.len(), 1);
        assert!(imported.faults.iter().all(|fault| fault.starts_with("line 12: ")));
    }
}
