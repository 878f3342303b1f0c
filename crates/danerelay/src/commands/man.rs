//! `danerelay man` and `danerelay completions`: what packages ship, made of the same definitions as `--help`.

mod page;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};
use jiff::Timestamp;
use page::Page;

use super::output;
use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// The policy file with its comments, which explains itself.
const POLICY: &str = include_str!("../../../../config/policy.toml");

/// Where manual pages go.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The directory; it is made if there is none.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// For which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: ShellName,
}

/// A shell that completions can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellName {
    /// GNU bash.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// Writes the manual pages of this command line.
pub(crate) fn write(arguments: &ManArguments, line: clap::Command) -> Result<Verdict, Failure> {
    let directory = &arguments.directory;
    let failed = |path: &Path, cause| Failure::File {
        path: path.to_owned(),
        cause,
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    for (name, page) in pages(line, &date()).map_err(Failure::Output)? {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| failed(&path, error))?;
    }
    Ok(Verdict::Good)
}

/// Prints the completions of this command line.
pub(crate) fn completions(
    arguments: &CompletionsArguments,
    mut line: clap::Command,
) -> Result<Verdict, Failure> {
    let shell = match arguments.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut line, "danerelay", &mut text);
    output::write(&String::from_utf8_lossy(&text))?;
    Ok(Verdict::Good)
}

/// Today, or what a packager says so that the same sources make the same pages
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn date() -> String {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    let said = said.and_then(|seconds| Timestamp::from_second(seconds.parse().ok()?).ok());
    said.unwrap_or_else(Timestamp::now)
        .strftime("%Y-%m-%d")
        .to_string()
}

/// All pages of this date, with the names of their files.
pub(crate) fn pages(line: clap::Command, date: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = line.disable_help_subcommand(true);
    command.build();
    let mut pages = vec![
        ("danerelay.toml.5".to_owned(), config::manual(date).into_bytes()),
        (
            "danerelay-policy.toml.5".to_owned(),
            policy_page(date).into_bytes(),
        ),
    ];
    of_commands(&Page::of(&command, None), date, &mut pages)?;
    Ok(pages)
}

fn of_commands(page: &Page<'_>, date: &str, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    pages.push((page.file(), page.render(date)?));
    for inner in page.command.get_subcommands() {
        of_commands(&Page::of(inner, Some(page)), date, pages)?;
    }
    Ok(())
}

fn policy_page(date: &str) -> String {
    let mut page = Roff::new();
    page.control(
        "TH",
        [
            "danerelay-policy.toml",
            "5",
            date,
            config::PAGE_SOURCE,
            "danerelay",
        ],
    );
    page.control("SH", ["NAME"]);
    page.text([roman(
        "danerelay-policy.toml - what danerelay demands of destinations",
    )]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("The file that `policy.file` names in danerelay.toml(5). A change takes effect by itself; "),
        bold("danerelay config check"),
        roman(" reports what is wrong in it, and "),
        bold("danerelay explain"),
        roman(" says which rule holds for a destination. Every key, with its default or an example:"),
    ]);
    page.control("nf", []);
    for line in POLICY.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("danerelay(1), danerelay.toml(5), danerelay-danefail(1)")]);
    page.render()
}
