//! The rates and costs of the whole way as bars, in SVG.

use std::fmt::Write;

use crate::contender::Contender;
use crate::figures::{Figures, Row};
use crate::work::{Manner, Work};

const WIDTH: usize = 860;
/// Where bars begin, and how long the longest is.
const LEFT: usize = 190;
const LONGEST: f64 = 560.0;
const BAR: usize = 14;
const GAP: usize = 12;
const TITLE: usize = 34;

/// One half of the picture.
struct Chart {
    title: &'static str,
    figure: fn(&Figures) -> f64,
    digits: usize,
}

const CHARTS: [Chart; 2] = [
    Chart {
        title: "Messages a second, end to end, DANE verified on every delivery",
        figure: |figures| figures.through.unwrap_or_default(),
        digits: 0,
    },
    Chart {
        title: "Processor time of the relay, milliseconds a message",
        figure: |figures| figures.relay_cost,
        digits: 2,
    },
];

/// Draws what there is of the whole way.
pub(crate) fn draw(rows: &[Row]) -> String {
    let shown: Vec<(&Row, &Figures)> = rows
        .iter()
        .filter(|row| row.work.manner == Manner::Through)
        .filter_map(|row| Some((row, row.result.as_ref().ok()?)))
        .collect();
    let mut body = String::new();
    let mut y = 0;
    for chart in &CHARTS {
        chart.draw(&shown, &mut body, &mut y);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n",
        height = y + GAP,
    )
}

impl Chart {
    fn draw(&self, shown: &[(&Row, &Figures)], body: &mut String, y: &mut usize) {
        *y += TITLE;
        text(
            body,
            10,
            *y - GAP,
            &format!("<tspan font-weight=\"bold\">{}</tspan>", self.title),
        );
        let most = shown
            .iter()
            .map(|(_, figures)| (self.figure)(figures))
            .fold(f64::EPSILON, f64::max);
        let mut work_before = None;
        for (row, figures) in shown {
            if work_before != Some(row.work) {
                *y += GAP;
                work_before = Some(row.work);
                text(body, 10, *y + BAR - 3, &label(row.work));
            }
            let figure = (self.figure)(figures);
            let length = figure / most * LONGEST;
            let colour = colour(row.contender);
            writeln!(
                body,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                BAR - 2
            )
            .expect("a string takes all");
            let words = format!("{figure:.*} {}", self.digits, row.contender.name());
            text(body, LEFT + length as usize + 6, *y + BAR - 3, &words);
            *y += BAR;
        }
    }
}

fn text(body: &mut String, x: usize, y: usize, words: &str) {
    writeln!(body, "<text x=\"{x}\" y=\"{y}\">{words}</text>").expect("a string takes all");
}

fn label(work: Work) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let Work {
        destinations,
        sessions,
        ..
    } = work;
    format!(
        "{destinations} destination{}, {sessions} session{}",
        plural(destinations),
        plural(sessions)
    )
}

fn colour(contender: Contender) -> &'static str {
    match contender {
        Contender::Postfix => "#bdbdbd",
        Contender::PostfixReuse => "#7f7f7f",
        Contender::Exim => "#c9a66b",
        Contender::Danerelay => "#1f77b4",
    }
}
