//! One manual page of a command, made of the definitions that `--help` is made of.

use std::io;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::config::{Config, DEFAULT_PATH, PAGE_SOURCE};

/// The command whose page is in section 8.
const DAEMON: &str = "serve";

/// The pages that each page names, but for itself.
const OTHERS: [(&str, &str); 4] = [
    ("danerelay", "1"),
    ("danerelay", "8"),
    ("danerelay.toml", "5"),
    ("danerelay-policy.toml", "5"),
];

/// A command, and the name of its page.
pub(super) struct Page<'a> {
    pub(super) command: &'a Command,
    title: &'a str,
    section: &'static str,
    parent: Option<&'a Page<'a>>,
}

impl<'a> Page<'a> {
    /// The page of a command that has been built.
    pub(super) fn of(command: &'a Command, parent: Option<&'a Self>) -> Self {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let (title, section) = title(command.get_name(), name);
        Self {
            command,
            title,
            section,
            parent,
        }
    }

    /// `danerelay-check.1`.
    pub(super) fn file(&self) -> String {
        format!("{}.{}", self.title, self.section)
    }

    pub(super) fn render(&self, date: &str) -> io::Result<Vec<u8>> {
        let prose = Prose::of(self.command);
        let mut head = Roff::new();
        head.control("TH", [self.title, self.section, date, PAGE_SOURCE, "danerelay"]);
        head.control("SH", ["NAME"]);
        let about = self
            .command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        head.text([roman(format!("{} - {about}", self.title))]);
        head.control("SH", ["SYNOPSIS"]);
        head.text(synopsis(self.command));
        head.control("SH", ["DESCRIPTION"]);
        paragraphs(&mut head, &prose.description);
        let mut options = Vec::new();
        Man::new(self.command.clone()).render_options_section(&mut options)?;
        let mut tail = Roff::new();
        self.subcommands(&mut tail);
        if !prose.exit_status.is_empty() {
            tail.control("SH", ["EXIT STATUS"]);
            exit_status(&mut tail, &prose.exit_status);
        }
        if self.parent.is_none() || self.command.get_name() == DAEMON {
            files(&mut tail);
        }
        self.see_also(&mut tail);
        // Each part would bring the definitions that stand at the head of a page.
        let definitions = Roff::new().render();
        let parts = [
            head.render(),
            String::from_utf8_lossy(&options).into_owned(),
            tail.render(),
        ];
        let parts = parts.map(|part| part.replacen(&definitions, "", 1));
        Ok((definitions + &parts.concat()).into_bytes())
    }

    fn subcommands(&self, page: &mut Roff) {
        let mut inner = self
            .command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set())
            .peekable();
        if inner.peek().is_some() {
            page.control("SH", ["COMMANDS"]);
        }
        for command in inner {
            let name = format!("{}-{}", self.title, command.get_name());
            let (title, section) = title(command.get_name(), &name);
            page.control("TP", []);
            page.text([bold(title), roman(format!("({section})"))]);
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            page.text([roman(about)]);
        }
    }

    fn see_also(&self, page: &mut Roff) {
        let parent = self.parent.map(|parent| (parent.title, parent.section));
        let above = parent.filter(|parent| !OTHERS.contains(parent));
        let pages = above.into_iter().chain(OTHERS);
        let pages = pages.filter(|page| *page != (self.title, self.section));
        let mut line = Vec::new();
        for (title, section) in pages {
            if !line.is_empty() {
                line.push(roman(", "));
            }
            line.extend([bold(title), roman(format!("({section})"))]);
        }
        page.control("SH", ["SEE ALSO"]);
        page.text(line);
    }
}

/// The daemon's page has the name of the program.
fn title<'a>(command: &str, name: &'a str) -> (&'a str, &'static str) {
    if command == DAEMON {
        ("danerelay", "8")
    } else {
        (name, "1")
    }
}

/// The paragraphs of a command's help. Those that begin with [`Prose::EXIT_STATUS`] have a section of their own.
#[derive(Default)]
struct Prose {
    description: Vec<String>,
    exit_status: Vec<String>,
}

impl Prose {
    const EXIT_STATUS: &str = "Exit status:";

    fn of(command: &Command) -> Self {
        let about = command.get_long_about().or_else(|| command.get_about());
        let after = command.get_after_long_help().or_else(|| command.get_after_help());
        let mut prose = Self::default();
        for text in [about, after].into_iter().flatten().map(ToString::to_string) {
            for paragraph in text.split("\n\n") {
                match paragraph.strip_prefix(Self::EXIT_STATUS) {
                    Some(rest) => prose.exit_status.push(rest.trim_matches('\n').to_owned()),
                    None => prose.description.push(paragraph.to_owned()),
                }
            }
        }
        prose
    }
}

fn paragraphs(page: &mut Roff, paragraphs: &[String]) {
    for (number, paragraph) in paragraphs.iter().enumerate() {
        if number > 0 {
            page.control("PP", []);
        }
        for line in paragraph.lines() {
            page.text([roman(line)]);
        }
    }
}

/// As a sentence, or a table with one status a line.
fn exit_status(page: &mut Roff, texts: &[String]) {
    for text in texts {
        if !text.contains('\n') {
            page.text([roman(text.trim())]);
            continue;
        }
        for line in text.lines() {
            let (status, meaning) = line.trim().split_once("  ").unwrap_or((line, ""));
            page.control("TP", []);
            page.text([bold(status)]);
            page.text([roman(meaning)]);
        }
    }
}

fn files(page: &mut Roff) {
    let config = Config::default();
    page.control("SH", ["FILES"]);
    for (path, what) in [
        (DEFAULT_PATH.into(), "the configuration, if no other is named"),
        (
            Path::new(DEFAULT_PATH).with_file_name(config.policy.file),
            "the policy",
        ),
        (config.spool.path, "the queue, the ledger and the incidents"),
        (
            config.state_directory,
            "copies of lists, exceptions that commands add, MTA-STS policies of others",
        ),
        (config.admin.socket, "where commands reach the relay"),
    ] {
        page.control("TP", []);
        page.text([italic(path.display().to_string())]);
        page.text([roman(what)]);
    }
}

/// The command with all that it can be given.
fn synopsis(command: &Command) -> Vec<Inline> {
    let mut line = vec![bold(command.get_bin_name().unwrap_or_else(|| command.get_name()))];
    let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let groups: Vec<Group<'_>> = command
        .get_groups()
        .filter(|group| group.is_required_set())
        .map(|group| Group {
            members: shown()
                .filter(|argument| group.get_args().any(|id| id == argument.get_id()))
                .collect(),
            is_multiple: group.clone().is_multiple(),
        })
        .filter(|group| !group.members.is_empty())
        .collect();
    let alone = |argument: &&Arg| {
        let is_in = |group: &Group<'_>| {
            group
                .members
                .iter()
                .any(|member| member.get_id() == argument.get_id())
        };
        !groups.iter().any(is_in)
            && !matches!(
                argument.get_action(),
                ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort
            )
    };
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) = shown()
        .filter(alone)
        .partition(|argument| argument.is_positional());
    for argument in &options {
        element(&mut line, argument);
    }
    for group in &groups {
        group.write(&mut line);
    }
    for argument in &positional {
        element(&mut line, argument);
    }
    if command.has_subcommands() {
        let name = italic("COMMAND");
        line.push(roman(" "));
        if command.is_subcommand_required_set() {
            line.push(name);
        } else {
            line.extend([roman("["), name, roman("]")]);
        }
    }
    line
}

/// Arguments of which one must be given.
struct Group<'a> {
    members: Vec<&'a Arg>,
    is_multiple: bool,
}

impl Group<'_> {
    fn write(&self, line: &mut Vec<Inline>) {
        line.push(roman(" {"));
        for (number, argument) in self.members.iter().enumerate() {
            if number > 0 {
                line.push(roman(" | "));
            }
            bare(line, argument);
        }
        line.push(roman(if self.is_multiple { "} ..." } else { "}" }));
    }
}

/// In brackets if it can be left out.
fn element(line: &mut Vec<Inline>, argument: &Arg) {
    line.push(roman(" "));
    if argument.is_required_set() {
        bare(line, argument);
    } else {
        line.push(roman("["));
        bare(line, argument);
        line.push(roman("]"));
    }
}

/// The option, the shorter of its names, and its value.
fn bare(line: &mut Vec<Inline>, argument: &Arg) {
    let name = match (argument.get_short(), argument.get_long()) {
        (Some(short), _) => Some(format!("-{short}")),
        (None, long) => long.map(|long| format!("--{long}")),
    };
    let takes_values = argument.get_action().takes_values();
    if let Some(name) = &name {
        line.push(bold(name));
    }
    if takes_values {
        if name.is_some() {
            line.push(roman(" "));
        }
        let id = argument.get_id().as_str();
        let values = argument.get_value_names().map(|names| names.join(" "));
        line.push(italic(values.unwrap_or_else(|| id.to_owned())));
    }
    if matches!(argument.get_action(), ArgAction::Append | ArgAction::Count) {
        line.push(roman(" ..."));
    }
}
