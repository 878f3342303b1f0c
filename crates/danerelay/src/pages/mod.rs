//! Pages for people: of the monitor, of reports.
//!
//! * [`html`]: markup in which foreign text stays text, and the frame of a page: everything is in it, there are no scripts,
//!   and a browser is told to use the style that is in it and nothing else. It is for a wide screen or a phone, by day or night.
//! * [`chart`]: bars divided into parts, as a picture.
//! * [`document`]: a page of paragraphs, tables and pictures that can be shown as HTML or, by [`plain`], as text.
//! * [`words`]: numbers, times and ages in words.

pub(crate) mod chart;
pub(crate) mod document;
pub(crate) mod html;
pub(crate) mod plain;
pub(crate) mod words;
