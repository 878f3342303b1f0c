//! The table of all measurements, with ratios to the yardstick: Postfix with TLS reuse, doing the same work in the same run.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use danerelay_tests::process::run;
use jiff::Zoned;

use crate::contender::Contender;
use crate::figures::{Figures, Row, Spread};
use crate::lab::Lab;
use crate::picture;
use crate::work::{Manner, Work};

const YARDSTICK: Contender = Contender::PostfixReuse;

/// All results so far.
pub(crate) struct Report {
    circumstances: String,
    rows: Vec<Row>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(lab: &Lab) -> Self {
        Self {
            circumstances: circumstances(lab),
            rows: Vec::new(),
        }
    }

    /// Adds a measurement.
    pub(crate) fn add(&mut self, contender: Contender, work: Work, result: Result<Figures, String>) {
        self.rows.push(Row {
            contender,
            work,
            result,
        });
    }

    /// How many measurements are void.
    pub(crate) fn void(&self) -> usize {
        self.rows.iter().filter(|row| row.result.is_err()).count()
    }

    /// As text with tables.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.circumstances);
        for (manner, title, columns) in [
            (Manner::Through, "The whole way", THROUGH),
            (Manner::Held, "Accepted while deliveries are held", HELD),
            (Manner::OneByOne, "One message at a time", ONE_BY_ONE),
        ] {
            let rows = self.rows.iter().filter(|row| row.work.manner == manner);
            let cells: Vec<String> = rows.map(|row| self.line(row)).collect();
            if !cells.is_empty() {
                let line = "|---".repeat(columns.matches('|').count() - 1);
                write!(
                    text,
                    "\n### {title}\n\n{columns}\n{line}|\n{}\n",
                    cells.join("\n")
                )
                .expect("a string takes all");
            }
        }
        text
    }

    /// Leaves table and picture in this directory.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("table.md"), self.markdown())?;
        fs::write(directory.join("picture.svg"), picture::draw(&self.rows))
    }

    fn line(&self, row: &Row) -> String {
        let Row {
            contender,
            work,
            result,
        } = row;
        let name = contender.name();
        let figures = match result {
            Ok(figures) => figures,
            Err(reason) => {
                return format!(
                    "| {name} | {} | {} | void: {reason} |",
                    work.destinations, work.sessions
                );
            }
        };
        let yardstick = self
            .rows
            .iter()
            .find(|other| other.contender == YARDSTICK && other.work == *work);
        let yardstick = yardstick.and_then(|other| other.result.as_ref().ok());
        let ratio = |of: fn(&Figures) -> f64| yardstick.map(|yardstick| of(figures) / of(yardstick));
        let cells = match work.manner {
            Manner::Through => vec![
                work.destinations.to_string(),
                work.sessions.to_string(),
                whole(figures.accepted),
                whole(through(figures)),
                times(ratio(through)),
                format!("{:.3}", figures.relay_cost),
                times(ratio(|figures| figures.relay_cost)),
                format!("{:.3}", figures.lab_cost),
                whole(figures.memory),
                figures.tls_sessions.to_string(),
                syncs(figures),
                spread(figures.accepting),
            ],
            Manner::Held => vec![
                whole(figures.accepted),
                times(ratio(|figures| figures.accepted)),
                format!("{:.3}", figures.relay_cost),
                times(ratio(|figures| figures.relay_cost)),
                whole(figures.memory),
                syncs(figures),
                spread(figures.accepting),
            ],
            Manner::OneByOne => vec![
                spread(figures.accepting),
                figures.travelling.map_or_else(String::new, spread),
                figures.tls_sessions.to_string(),
                syncs(figures),
            ],
        };
        format!("| {name} | {} |", cells.join(" | "))
    }
}

const THROUGH: &str = "| relay | destinations | sessions | accepted/s | end to end/s | × Postfix | relay CPU, ms a message | \
                       × Postfix | lab CPU, ms a message | PSS, MB | TLS sessions | syncs a message | accept p50 / p99, ms |";
const HELD: &str = "| relay | accepted/s | × Postfix | relay CPU, ms a message | × Postfix | PSS, MB | syncs a message | \
                    accept p50 / p99, ms |";
const ONE_BY_ONE: &str =
    "| relay | accept p50 / p99, ms | end to end p50 / p99, ms | TLS sessions | syncs a message |";

/// Date, machine, programs.
fn circumstances(lab: &Lab) -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processors = processor
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.unwrap_or_default().trim_start_matches(['\t', ':', ' ']);
    let kernel = run(Command::new("uname").arg("-r"));
    format!(
        "{date}; {processors} × {model}, Linux {kernel}; writing and syncing 10 KB takes {sync:.2} ms. Postfix {postfix}, \
         Exim {exim}, danerelay {danerelay}.",
        date = Zoned::now().strftime("%Y-%m-%d %H:%M"),
        kernel = kernel.trim(),
        sync = milliseconds(lab.sync_time),
        postfix = Contender::Postfix.version(&lab.directory),
        exim = Contender::Exim.version(&lab.directory),
        danerelay = Contender::Danerelay.version(&lab.directory),
    )
}

fn through(figures: &Figures) -> f64 {
    figures.through.unwrap_or_default()
}

fn whole(figure: f64) -> String {
    format!("{figure:.0}")
}

fn times(ratio: Option<f64>) -> String {
    match ratio {
        None => "–".to_owned(),
        Some(ratio) if ratio < 1.0 => format!("{ratio:.3}"),
        Some(ratio) => format!("{ratio:.1}"),
    }
}

fn syncs(figures: &Figures) -> String {
    figures
        .syncs
        .map_or_else(|| "–".to_owned(), |syncs| format!("{syncs:.2}"))
}

fn spread(spread: Spread) -> String {
    format!(
        "{:.1} / {:.1}",
        milliseconds(spread.median),
        milliseconds(spread.slow)
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
