//! Splits a file in zone-file form into records (RFC 1035 §5.1).

/// One record; in parentheses it may span several lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// Its fields, without parentheses.
    pub(crate) record: String,
    /// The comments (after `;`) on its lines.
    pub(crate) comment: String,
}

/// A parenthesis without its counterpart, or nested parentheses, in the record that begins at this line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced(pub(crate) usize);

/// Splits a file into records. Lines without a record are skipped.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, Unbalanced> {
    let mut entries = Vec::new();
    let (mut open, mut is_open) = (Entry::default(), false);
    for (index, line) in text.lines().enumerate() {
        let (fields, comment) = line.split_once(';').unwrap_or((line, ""));
        if !is_open {
            open.line = index + 1;
        }
        for character in fields.chars() {
            match character {
                '(' | ')' if (character == '(') == is_open => return Err(Unbalanced(open.line)),
                '(' | ')' => {
                    is_open = !is_open;
                    open.record.push(' ');
                }
                other => open.record.push(other),
            }
        }
        open.record.push(' ');
        open.comment.push_str(comment);
        if !is_open {
            let whole = std::mem::take(&mut open);
            if !whole.record.trim().is_empty() {
                entries.push(whole);
            }
        }
    }
    if is_open {
        return Err(Unbalanced(open.line));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_may_take_several_lines() {
        let text = "; (a comment)\n. IN DS (1\n  8 ; (\n\n2 00) ; end\na. IN DS 1\n";
        let found = entries(text).unwrap();
        let fields = |entry: &Entry| {
            entry
                .record
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let shown: Vec<_> = found.iter().map(|entry| (entry.line, fields(entry))).collect();
        assert_eq!(
            shown,
            [(2, ". IN DS 1 8 2 00".to_owned()), (6, "a. IN DS 1".to_owned())]
        );
        assert_eq!(found.first().unwrap().comment, " ( end");
    }

    #[test]
    fn parentheses_come_in_pairs() {
        for (text, line) in [
            (". IN DS (1 8\n2 00\n", 1),
            ("\n. IN DS 1 8 2 00)\n", 2),
            (". IN DS ((1 8 2 00))\n", 1),
        ] {
            assert_eq!(entries(text).unwrap_err(), Unbalanced(line));
        }
    }
}
