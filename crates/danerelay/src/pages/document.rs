//! A page that can be read in a browser, on a terminal and in mail: what it says is made once.

use std::fmt::Display;

use super::chart::Chart;
use super::html::{Column, Escaped, Html, Kind};
use super::words::grouped;

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// Of what, and when.
    pub(crate) subtitle: String,
    /// What matters most, at a glance.
    pub(crate) tiles: Vec<Tile>,
    pub(crate) sections: Vec<Section>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) detail: String,
}

/// A part of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) parts: Vec<Part>,
}

/// What a section is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sentences.
    Paragraph(String),
    /// Only where there is room for pictures.
    Chart(Chart),
    /// Each row has a cell for each column.
    Table(Vec<Column>, Vec<Vec<String>>),
}

impl Section {
    pub(crate) fn new(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            parts: Vec::new(),
        }
    }

    pub(crate) fn say(&mut self, sentences: impl Display) {
        self.parts.push(Part::Paragraph(sentences.to_string()));
    }

    /// A table without rows is left out.
    pub(crate) fn table(&mut self, columns: &[Column], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.parts.push(Part::Table(columns.to_vec(), rows));
        }
    }

    /// The first rows of so many, and which command shows the others.
    pub(crate) fn first_rows(&mut self, columns: &[Column], rows: Vec<Vec<String>>, all: u64, command: &str) {
        let more = all.saturating_sub(rows.len() as u64);
        self.table(columns, rows);
        if more > 0 {
            self.say(format_args!("And {} more: {command}.", grouped(more)));
        }
    }
}

impl Document {
    /// For a browser, from a file.
    pub(crate) fn html(&self) -> String {
        let mut to = Html::page(&self.title, Kind::File);
        to.raw("<header>");
        to.element("h1", &self.title);
        to.element("p", &self.subtitle);
        to.raw("</header><dl class=\"tiles\">");
        for tile in &self.tiles {
            to.raw(format_args!(
                "<div><dt>{}</dt><dd><strong>{}</strong><small>{}</small></dd></div>",
                Escaped(tile.name),
                Escaped(&tile.value),
                Escaped(&tile.detail)
            ));
        }
        to.raw("</dl>");
        for section in &self.sections {
            to.raw("<section>");
            to.heading(&section.heading);
            for part in &section.parts {
                match part {
                    Part::Paragraph(sentences) => to.element("p", sentences),
                    Part::Chart(chart) => {
                        chart.write(&mut to);
                        chart.legend(&mut to);
                    }
                    Part::Table(columns, rows) => to.table(columns, rows.iter().cloned()),
                }
            }
            to.raw("</section>");
        }
        to.end()
    }
}
