//! Sockets that systemd passes.

use super::{Relay, good, ports, run, user, with_everything};

/// Opens two sockets, and becomes the relay with them as descriptors 3 and 4 (`sd_listen_fds(3)`).
const SYSTEMD: &str = r#"
import os, socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
high = [os.dup2(one.fileno(), 20 + number) for number, one in enumerate(sockets)]
for number, descriptor in enumerate(high, 3):
    os.dup2(descriptor, number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "mail:smtps"}
os.execv(sys.argv[1], sys.argv[1:])
"#;

/// A socket whose unit says `FileDescriptorName=smtps` begins with the handshake, any other in clear.
#[test]
fn a_socket_named_smtps_is_for_tls_from_the_first_octet() {
    let directory = with_everything();
    assert_eq!(user(directory.path(), &["add", "user"], "secret\n").status, 0);
    let script = directory.path().join("systemd.py");
    std::fs::write(&script, SYSTEMD).unwrap();
    let relay = Relay::start_by(directory, |serve| {
        let mut python = std::process::Command::new("python3");
        python
            .arg(&script)
            .arg(serve.get_program())
            .args(serve.get_args());
        python
    });
    let [clear, implicit] = ports(&relay).map(|port| format!("127.0.0.1:{port}"));
    for connection in [
        &["-connect", &clear, "-starttls", "smtp"][..],
        &["-connect", &implicit],
    ] {
        let output = run("openssl", &[&["s_client"], connection].concat(), "QUIT\r\n");
        let text = good(&output);
        assert!(text.contains("-----BEGIN CERTIFICATE-----"), "{text}");
    }
}
