//! `danerelay man` and `danerelay completions`: what packages ship, made of the same definitions as `--help`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::output;
use crate::config;
use crate::exit::Verdict;
use crate::failure::Failure;

/// The policy file with its comments, which explains itself.
const POLICY: &str = include_str!("../../../../config/policy.toml");

/// The command whose page is in section 8.
const DAEMON: &str = "serve";

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
    for (name, page) in pages(line).map_err(Failure::Output)? {
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

/// All pages with the names of their files.
pub(crate) fn pages(line: clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = line.disable_help_subcommand(true);
    command.build();
    let mut pages = vec![
        ("danerelay.toml.5".to_owned(), config::manual().into_bytes()),
        ("danerelay-policy.toml.5".to_owned(), policy_page().into_bytes()),
    ];
    of_commands(&command, &mut pages)?;
    Ok(pages)
}

fn of_commands(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let (title, section) = if command.get_name() == DAEMON {
        ("danerelay", "8")
    } else {
        (name, "1")
    };
    let man = Man::new(command.clone().display_name(title.to_owned()))
        .title(title)
        .section(section)
        .manual("danerelay")
        .source(concat!("danerelay ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page)?;
    pages.push((format!("{title}.{section}"), page));
    for inner in command.get_subcommands() {
        of_commands(inner, pages)?;
    }
    Ok(())
}

fn policy_page() -> String {
    let mut page = Roff::new();
    page.control("TH", ["danerelay-policy.toml", "5", "", "danerelay", "danerelay"]);
    page.control("SH", ["NAME"]);
    page.text([roman("policy.toml - what danerelay demands of destinations")]);
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
    page.to_roff()
}
