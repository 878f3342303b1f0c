//! Text on lines of limited width.

/// The words on lines of at most `width` characters, the first of which begins with `first` and every other with `rest`.
/// Words are separated by spaces, tabs and line ends; one that is longer than a line has a line of its own. Without words there is the first line.
pub fn wrap(words: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut column = first.chars().count();
    let mut is_empty = true;
    for word in words.split_ascii_whitespace() {
        let length = word.chars().count();
        if !is_empty && column + 1 + length > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            column = rest.chars().count();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
        is_empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be_in_characters() {
        assert_eq!(wrap("ä ö  ü", 5, "- ", "  "), ["- ä ö", "  ü"]);
        assert_eq!(wrap("one two three", 7, "", ""), ["one two", "three"]);
        assert_eq!(
            wrap("a far-too-long-word b", 6, "", " "),
            ["a", " far-too-long-word", " b"]
        );
        assert_eq!(wrap("", 10, "label", ""), ["label"]);
    }
}
