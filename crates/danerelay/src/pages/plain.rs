//! A document as text, for a terminal or mail.

use std::fmt::Write as _;

use mail::wrap;

use super::document::{Document, Part};
use super::html::Column;

/// The longest line, but for words that are longer.
const WIDTH: usize = 78;
/// The least that the last column of a table is given before its words are put on further lines.
const LEAST: usize = 20;
/// Between two columns.
const GAP: usize = 2;

/// All of it: at most 78 columns, but for names that are longer.
pub(crate) fn text(document: &Document) -> String {
    let mut text = String::new();
    underlined(&mut text, &document.title, '=');
    paragraph(&mut text, &document.subtitle);
    if !document.tiles.is_empty() {
        text.push('\n');
        let rows: Vec<Vec<String>> = document
            .tiles
            .iter()
            .map(|tile| vec![tile.name.to_owned(), tile.value.clone(), tile.detail.clone()])
            .collect();
        let columns = [Column::Words(""), Column::Numbers(""), Column::Words("")];
        table(&mut text, &columns, &rows);
    }
    for section in &document.sections {
        text.push('\n');
        underlined(&mut text, &section.heading, '-');
        let mut parts = section.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Paragraph(sentences) => paragraph(&mut text, sentences),
                Part::Chart(_) => continue,
                Part::Table(columns, rows) => table(&mut text, columns, rows),
            }
            if parts.peek().is_some() {
                text.push('\n');
            }
        }
    }
    // What keeps a number together in a browser.
    text.replace('\u{202f}', " ")
}

fn underlined(text: &mut String, words: &str, line: char) {
    let line: String = words.chars().map(|_| line).collect();
    let _ = write!(text, "{words}\n{line}\n");
}

fn paragraph(text: &mut String, sentences: &str) {
    for line in wrap(sentences, WIDTH, "", "") {
        text.push_str(&line);
        text.push('\n');
    }
}

/// Columns as wide as what is in them; the words of the last one go on below, if they do not fit.
fn table(text: &mut String, columns: &[Column], rows: &[Vec<String>]) {
    let headings: Vec<String> = columns
        .iter()
        .map(|column| match column {
            Column::Words(heading) | Column::Short(heading) | Column::Numbers(heading) => {
                (*heading).to_owned()
            }
        })
        .collect();
    let is_headed = headings.iter().any(|heading| !heading.is_empty());
    let lines = is_headed.then_some(&headings).into_iter().chain(rows);
    let mut widths = vec![0; columns.len()];
    for line in lines.clone() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in lines {
        row(text, columns, &widths, line);
    }
}

fn row(text: &mut String, columns: &[Column], widths: &[usize], cells: &[String]) {
    let mut line = String::new();
    let mut start = 0;
    let last = columns.len().saturating_sub(1);
    for (number, ((column, width), cell)) in columns.iter().zip(widths).zip(cells).enumerate() {
        match column {
            Column::Words(_) if number == last => {
                let room = WIDTH.saturating_sub(start).max(LEAST);
                for (below, words) in wrap(cell, room, "", "").into_iter().enumerate() {
                    if below > 0 {
                        let _ = write!(line, "\n{:start$}", "");
                    }
                    line.push_str(&words);
                }
            }
            Column::Words(_) | Column::Short(_) => {
                let _ = write!(line, "{cell:<width$}");
            }
            Column::Numbers(_) => {
                let _ = write!(line, "{cell:>width$}");
            }
        }
        if number < last {
            let _ = write!(line, "{:GAP$}", "");
        }
        start += width + GAP;
    }
    for line in line.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{Section, Tile};
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_long_words_go_on_below() {
        let mut section = Section::new("Domains");
        section.say("One, two.");
        let columns = [
            Column::Words("Domain"),
            Column::Numbers("Mail"),
            Column::Words("Why"),
        ];
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        section.table(
            &columns,
            vec![
                row(["a.example", "1\u{202f}000", "short"]),
                row(["long.example", "2", &"words ".repeat(20)]),
            ],
        );
        section.table(&columns, Vec::new());
        let document = Document {
            title: "Title".to_owned(),
            subtitle: "of a day".to_owned(),
            tiles: vec![Tile {
                name: "Mail",
                value: "7".to_owned(),
                detail: "seven".to_owned(),
            }],
            sections: vec![section],
        };
        let expected = "Title\n=====\nof a day\n\nMail  7  seven\n\nDomains\n-------\nOne, two.\n\n\
            Domain         Mail  Why\n\
            a.example     1 000  short\n\
            long.example      2  words words words words words words words words words\n                     \
            words words words words words words words words words\n                     words words\n";
        assert_eq!(text(&document), expected);
    }
}
