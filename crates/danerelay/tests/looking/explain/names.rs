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
