//! `config check` looks at the names in the policy.

use super::rows;

#[test]
fn strict_domains_whose_mail_would_wait_are_found_before_it_does() {
    let stage = rows();
    stage.write(
        "policy.toml",
        "version = 1\n[[list]]\nkind = \"strict\"\nfile = \"strict.list\"\n\
         [[domain]]\nmatch = [\"none.test\", \".usable.test\"]\ndane = \"strict\"\n\
         [[domain]]\nmatch = [\"nowhere.test\", \"mute.test\"]\ndane = \"soft-fail\"\n",
    );
    stage.write(
        "strict.list",
        "usable.test\nplain.test # our partner\noutsourced.test\n",
    );
    let end = stage.run(&["config", "check", "--strict"]);
    assert_eq!(end.status, 1, "{}", end.stderr);
    let found: Vec<&str> = end
        .stderr
        .lines()
        .filter(|line| line.contains("all its mail would wait") || line.contains("there is no domain"))
        .collect();
    let [none, nowhere, plain, outsourced] = found.as_slice() else {
        panic!("{}", end.stderr)
    };
    assert!(
        plain.contains("strict.list:2: \"plain.test\" is strict (strict list strict.list:2)"),
        "{plain}"
    );
    assert!(outsourced.contains("strict.list:3: "), "{outsourced}");
    assert!(none.contains("policy.toml:5: \"none.test\" is strict"), "{none}");
    assert!(
        nowhere.contains("policy.toml:8: there is no domain \"nowhere.test\""),
        "{nowhere}"
    );

    let end = stage.run(&["config", "check", "--strict", "--no-dns"]);
    assert_eq!(
        (end.status, end.stderr.contains("would wait")),
        (0, false),
        "{}",
        end.stderr
    );
}

#[test]
fn exceptions_that_no_mail_meets_are_found() {
    let stage = rows();
    let exception =
        |key: &str| format!("[[exception]]\n{key}\ndane = \"off\"\nuntil = 2999-01-01\nreason = \"r\"\n");
    let policy = [
        "version = 1\n".to_owned(),
        exception("mx = \"mx.nowhere.test\""),
        exception("mx = \"mx.none.test\""),
        exception("mx = \"mx.none.test\"\noverride_strict = true"),
        exception("mx = \"mx.usable.test\""),
        exception("domain = \"nowhere.test\""),
    ];
    stage.write("policy.toml", &policy.concat());
    let end = stage.run(&["config", "check"]);
    assert_eq!(end.status, 0, "{}", end.stderr);
    let warnings: Vec<&str> = end
        .stderr
        .lines()
        .filter_map(|line| Some(line.split_once("policy.toml:")?.1))
        .collect();
    for expected in [
        "2: \"mx.nowhere.test\" has no address: this exception has no effect",
        "7: \"mx.none.test\" has no TLSA records: this exception has no effect",
        "23: there is no domain \"nowhere.test\"",
    ] {
        assert!(
            warnings.iter().any(|warning| warning.starts_with(expected)),
            "{expected} in {}",
            end.stderr
        );
    }
    assert!(!end.stderr.contains("mx.usable.test"), "{}", end.stderr);
}
