//! `danerelay user`.

use std::os::unix::fs::PermissionsExt;

use super::{good, run, user, with_everything};

/// Scripts of configuration management run at the same time.
#[test]
fn users_that_are_added_at_once_are_all_there() {
    let directory = with_everything();
    let names: Vec<String> = (0..6).map(|number| format!("user{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| assert_eq!(user(directory.path(), &["add", name], "secret\n").status, 0));
        }
    });
    assert_eq!(
        user(directory.path(), &["list"], "").stdout,
        names.join("\n") + "\n"
    );
}

#[test]
fn the_target_of_a_symbolic_link_is_changed_and_the_link_stays() {
    let directory = with_everything();
    let (link, target) = (
        directory.path().join("users"),
        directory.path().join("kept-elsewhere"),
    );
    std::fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(user(directory.path(), &["add", "a"], "secret\n").status, 0);
    assert!(link.is_symlink());
    assert!(
        std::fs::read_to_string(&target)
            .unwrap()
            .starts_with("a:$argon2id$")
    );
}

#[test]
fn users_are_added_listed_and_removed() {
    let directory = with_everything();
    let user = |arguments: &[&str], input: &str| user(directory.path(), arguments, input);
    assert_eq!(user(&["list"], "").stdout, "");
    assert_eq!(
        user(&["add", "b@x.example"], "secret\n").stdout,
        "added b@x.example\n"
    );
    assert_eq!(user(&["add", "a"], "other").stdout, "added a\n");
    assert_eq!(user(&["add", "a"], "another\n").stdout, "changed a\n");
    assert_eq!(user(&["list"], "").stdout, "a\nb@x.example\n");
    let text = std::fs::read_to_string(directory.path().join("users")).unwrap();
    assert!(
        text.starts_with("b@x.example:$argon2id$") && !text.contains("secret"),
        "{text}"
    );
    let mode = std::fs::metadata(directory.path().join("users"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(user(&["remove", "a"], "").stdout, "removed a\n");
    assert_eq!(user(&["remove", "a"], "").status, 1);
    for input in ["", "\n", "two\nlines\n"] {
        let end = user(&["add", "c"], input);
        assert_eq!(end.status, 2);
        assert!(end.stderr.contains("one line, not empty"), "{}", end.stderr);
    }
    // Never a part of what was given.
    let longest = "x".repeat(1024);
    assert_eq!(user(&["add", "long"], &format!("{longest}\r\n")).status, 0);
    for input in [
        format!("{longest}x\n"),
        format!("{longest}\u{e9}"),
        "x\n".repeat(1000),
    ] {
        let end = user(&["add", "c"], &input);
        assert_eq!(end.status, 2);
        assert_eq!(
            end.stderr.contains("longer than 1,024 octets"),
            input.starts_with("xx"),
            "{}",
            end.stderr
        );
    }
    for name in ["", "a:b", "a b"] {
        assert_eq!(user(&["add", name], "x\n").status, 2, "{name}");
    }
    std::fs::write(directory.path().join("users"), "nonsense\n").unwrap();
    let end = user(&["add", "c"], "x\n");
    assert_eq!(end.status, 2);
    assert!(end.stderr.contains("line 1: "), "{}", end.stderr);
}

/// Types at a terminal: what is typed is not shown, and has to be typed twice.
const AT_A_TERMINAL: &str = r#"
import os, pty, re, sys
program, configuration = sys.argv[1], sys.argv[2]
def typed(first, second):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(program, [program, "-c", configuration, "user", "add", "typist"])
    shown = b""
    for prompt, answer in [(b"Password: ", first), (b"Again: ", second)]:
        while not shown.endswith(prompt):
            shown += os.read(terminal, 1000)
        os.write(terminal, answer + b"\n")
    while True:
        try:
            read = os.read(terminal, 1000)
        except OSError:
            break
        if not read:
            break
        shown += read
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert first not in shown and second not in shown, shown
    return status, shown
status, shown = typed(b"open sesame", b"open sesame")
assert status == 0 and b"added typist" in shown, shown
status, shown = typed(b"open barlez\x7fy", b"open barley")
assert status == 0 and b"changed typist" in shown, shown
status, shown = typed(b"open sesame", b"open barley")
assert status == 2 and b"the two passwords are not the same" in shown, shown
import termios
child, terminal = pty.fork()
if child == 0:
    # The terminal stays open, as a shell keeps it.
    status = os.spawnv(os.P_WAIT, program, [program, "-c", configuration, "user", "add", "typist"])
    echo = termios.tcgetattr(0)[3] & termios.ECHO
    print("status", status, "echo", echo != 0, flush=True)
    os._exit(0)
shown = b""
while b"Password: " not in shown:
    shown += os.read(terminal, 1000)
os.write(terminal, b"open\x03")
while b"echo " not in shown or not shown.endswith(b"\n"):
    shown += os.read(terminal, 1000)
assert b"status 2 echo True" in shown, shown
"#;

#[test]
fn a_password_is_typed_twice_and_not_shown() {
    let directory = with_everything();
    let configuration = directory.path().join("danerelay.toml");
    let program = env!("CARGO_BIN_EXE_danerelay");
    good(&run(
        "python3",
        &["-", program, configuration.to_str().unwrap()],
        AT_A_TERMINAL,
    ));
    assert_eq!(user(directory.path(), &["list"], "").stdout, "typist\n");
}
