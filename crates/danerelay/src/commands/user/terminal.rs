//! A line typed at a terminal without being shown.

use std::io::{self, Read};

use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::UserError;

/// One line from the terminal, without echo; of one that is longer than `most` octets only so much that this shows.
///
/// Until its end the terminal sends every key as it is, ^C included: as a signal it would end the program while nothing
/// typed is shown, and the shell would go on so.
pub(super) fn unseen(prompt: &str, most: usize) -> Result<String, UserError> {
    let input = io::stdin();
    let failed = |error: Errno| UserError::Input(error.into());
    let before = tcgetattr(&input).map_err(failed)?;
    let mut hidden = before.clone();
    hidden
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    // Before the prompt: what is typed before this is discarded, and what is typed after it is not shown.
    tcsetattr(&input, OptionalActions::Flush, &hidden).map_err(failed)?;
    eprint!("{prompt}");
    let typed = line(input.lock(), &Keys::of(&before), most);
    let restored = tcsetattr(&input, OptionalActions::Flush, &before);
    eprintln!();
    let typed = typed?;
    restored.map_err(failed)?;
    String::from_utf8(typed).map_err(|error| UserError::Input(io::Error::other(error)))
}

/// The keys with which a line is edited.
struct Keys {
    interrupt: [u8; 2],
    erase: u8,
    kill: u8,
    end: u8,
    suspend: u8,
}

impl Keys {
    fn of(terminal: &Termios) -> Self {
        let key = |index| terminal.special_codes[index];
        Self {
            interrupt: [key(SpecialCodeIndex::VINTR), key(SpecialCodeIndex::VQUIT)],
            erase: key(SpecialCodeIndex::VERASE),
            kill: key(SpecialCodeIndex::VKILL),
            end: key(SpecialCodeIndex::VEOF),
            suspend: key(SpecialCodeIndex::VSUSP),
        }
    }
}

fn line(mut input: impl Read, keys: &Keys, most: usize) -> Result<Vec<u8>, UserError> {
    let mut line = Vec::new();
    let mut typed = [0];
    loop {
        match input.read_exact(&mut typed) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(UserError::Input(error)),
        }
        let [key] = typed;
        match key {
            b'\n' | b'\r' => break,
            key if keys.interrupt.contains(&key) => return Err(UserError::Interrupted),
            key if key == keys.end => break,
            key if key == keys.kill => line.clear(),
            key if key == keys.erase => erase(&mut line),
            key if key == keys.suspend => {}
            key if line.len() <= most => line.push(key),
            _ => {}
        }
    }
    Ok(line)
}

/// Takes the last character off, all of its octets.
fn erase(line: &mut Vec<u8>) {
    let is_within = |octet: &u8| octet & 0b1100_0000 == 0b1000_0000;
    while line.pop().as_ref().is_some_and(is_within) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEYS: Keys = Keys {
        interrupt: [3, 28],
        erase: 127,
        kill: 21,
        end: 4,
        suspend: 26,
    };

    #[test]
    fn a_line_is_edited_and_ends_with_its_key() {
        for (typed, expected) in [
            (&b"secret\nmore"[..], &b"secret"[..]),
            (b"secret\r", b"secret"),
            (b"wrong\x15right\x04", b"right"),
            ("x\u{e9}\u{20ac}\x7f\x7fy\n".as_bytes(), b"xy"),
            (b"\x7f\x7fa\x1ab\n", b"ab"),
            (b"no end", b"no end"),
            (b"123456\n", b"12345"),
        ] {
            assert_eq!(line(typed, &KEYS, 4.max(expected.len() - 1)).unwrap(), expected);
        }
        for typed in [&b"sec\x03ret\n"[..], b"\x1c"] {
            assert!(matches!(line(typed, &KEYS, 99), Err(UserError::Interrupted)));
        }
    }
}
