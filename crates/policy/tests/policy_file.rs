//! What a policy file may say, and how its faults are named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io;
use std::path::Path;

use common::{TODAY, compile_from};
use policy::Policy;

fn compile(text: &str) -> Result<Vec<String>, Vec<String>> {
    let read = |path: &Path| match path.to_str().unwrap() {
        "conf/some.list" => Ok("good.example\nbad line\n".to_owned()),
        "conf/smart.login" => Ok("user\nsecret\n".to_owned()),
        "conf/short.login" => Ok("secret\n".to_owned()),
        "conf/html.list" => Ok("\u{feff}\n <!DOCTYPE html>\n<title>404</title>\nexample.org\n".to_owned()),
        "conf/many.list" => Ok("good.example\n".to_owned() + &"no name\n".repeat(50)),
        "conf/other.list" => Ok("{ \"error\": 404 }\n".to_owned()),
        "conf/empty.list" => Ok("# nobody\n".to_owned()),
        other => Err(io::Error::new(io::ErrorKind::NotFound, format!("no {other}"))),
    };
    match compile_from("conf/policy.toml", text, &read) {
        Ok((_, warnings)) => Ok(warnings.iter().map(ToString::to_string).collect()),
        Err(error) => Err(error.errors.iter().map(ToString::to_string).collect()),
    }
}

fn errors(text: &str) -> Vec<String> {
    compile(text).unwrap_err()
}

/// The one error of `text`, without its file.
fn error(text: &str) -> String {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors[0].strip_prefix("conf/policy.toml:").unwrap().to_owned()
}

fn warnings(text: &str) -> Vec<String> {
    compile(text).unwrap()
}

#[test]
fn unknown_keys_name_the_nearest_and_all_that_are_allowed() {
    assert_eq!(
        error("version = 1\n[default]\ndnae = \"off\"\n"),
        "3:1: unknown key \"dnae\", did you mean \"dane\"? allowed here: \"dane\", \"insecure_mx\", \"tls\", \
         \"mta_sts\", \"honor_tls_required_no\", \"route\", \"route_tls\", \"route_login\", \"fallback\""
    );
    assert!(
        error("[[domian]]\nmatch = [\"a.example\"]\n")
            .starts_with("1:3: unknown key \"domian\", did you mean \"domain\"?")
    );
    assert!(
        error("[[domain]]\nmatch = [\"a.example\"]\n  dane_mode = 1\n")
            .starts_with("3:3: unknown key \"dane_mode\"")
    );
}

#[test]
fn wrong_values_name_what_is_allowed() {
    assert_eq!(
        error("[default]\ndane = \"stritc\"\n"),
        "2:8: `default.dane` cannot be \"stritc\", did you mean \"strict\"? allowed: \"off\", \"soft-fail\", \"opportunistic\", \"strict\""
    );
    for (text, place, allowed) in [
        ("version = 2", "1:11: ", "allowed: the number 1"),
        ("version = \"1\"", "1:11: ", "allowed: the number 1"),
        (
            "[default]\ndane = true",
            "2:8: ",
            "cannot be true; allowed: \"off\", \"soft-fail\"",
        ),
        (
            "[default]\nhonor_tls_required_no = \"no\"",
            "2:25: ",
            "cannot be \"no\"; allowed: true or false",
        ),
        ("[[domain]]\nmatch = []", "2:9: ", ".havedane.net"),
        (
            "[[domain]]\nmatch = [\"ok.example\", \"*.example\"]",
            "2:24: ",
            "cannot be \"*.example\": a character that a domain name cannot have; allowed: \"name\"",
        ),
        ("[[domain]]\nmatch = 5", "2:9: ", "a list of domains"),
        (
            "[[domain]]\nmatch = [\"a.example\"]\nroute = \"[x\"",
            "3:9: ",
            "[name]:port",
        ),
        (
            "[[mx]]\nmatch = [\"a.example\"]\nconnections = 0",
            "3:15: ",
            "`mx.connections` cannot be 0; allowed: a whole number from 1 ",
        ),
        (
            "[[list]]\nkind = \"danefail\"\nfile = \"some.list\"\nrefresh = \"1 week\"",
            "4:11: ",
            "\"5d\"",
        ),
        (
            "[[exception]]\ndomain = \"a.example\"\ndane = \"off\"\nreason = \"r\"\nuntil = \"2027-01-31\"",
            "5:9: ",
            "like 2027-01-31",
        ),
        (
            "[[exception]]\ndomain = \"a.example\"\ndane = \"off\"\nreason = \"r\"\nuntil = 2027-01-31T00:00:00Z",
            "5:9: ",
            "like 2027-01-31",
        ),
        (
            "[[exception]]\ndomain = \"a.example\"\ndnssec = \"on\"\nreason = \"r\"\nuntil = 2027-01-31",
            "3:10: ",
            "allowed: \"off\"",
        ),
    ] {
        let error = error(text);
        assert!(
            error.starts_with(place) && error.contains(allowed),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn missing_keys_are_named() {
    assert_eq!(
        error("[[domain]]\ndane = \"off\""),
        "1:1: the key \"match\" is missing here"
    );
    assert_eq!(
        error("[[list]]\nfile = \"some.list\""),
        "1:1: the key \"kind\" is missing here"
    );
    let undated = "[[exception]]\ndomain = \"a.example\"\ndane = \"off\"\nreason = \"r\"";
    assert_eq!(error(undated), "1:1: the key \"until\" is missing here");
    let unreasoned = "[[exception]]\ndomain = \"a.example\"\ndane = \"off\"\nuntil = 2027-01-31";
    assert_eq!(error(unreasoned), "1:1: the key \"reason\" is missing here");
}

#[test]
fn all_faults_are_reported_together() {
    let errors = errors(
        "[default]\ndane = \"on\"\ntsl = \"may\"\n[[list]]\nkind = \"strict\"\nfile = \"missing.list\"\n\
         [[exception]]\ndomain = \"a.example\"\nmx = \"b.example\"\ndane = \"off\"\nuntil = 2027-01-31\nreason = \"r\"\n",
    );
    let places: Vec<_> = errors
        .iter()
        .map(|error| {
            error
                .split(' ')
                .next()
                .unwrap()
                .strip_prefix("conf/policy.toml:")
                .unwrap()
        })
        .collect();
    assert_eq!(places, ["2:8:", "3:1:", "6:8:", "7:1:"], "{errors:#?}");
    assert!(
        errors[2].contains("conf/missing.list: no conf/missing.list"),
        "{errors:#?}"
    );
}

#[test]
fn a_faulty_table_is_not_blamed_twice() {
    let errors =
        errors("[[exception]]\ndomain = \"a.example\"\ndane = \"of\"\nuntil = 2027-01-31\nreason = \"r\"\n");
    assert_eq!(errors.len(), 1, "{errors:#?}");
}

#[test]
fn contradictions_are_refused() {
    let exception = |keys: &str| format!("[[exception]]\n{keys}\nuntil = 2027-01-31\n");
    for (text, place, words) in [
        (exception("dane = \"off\"\nreason = \"r\""), "1:1: ", "either domain or mx"),
        (exception("mx = \"a.example\"\nreason = \"r\""), "1:1: ", "dnssec = \"off\""),
        (exception("mx = \"a.example\"\ndane = \"off\"\nreason = \" \""), "4:10: ", "the reason is empty"),
        (exception("domain = \".a.example\"\ndnssec = \"off\"\nreason = \"r\""), "3:10: ", "without the leading dot"),
        ("[[list]]\nkind = \"strict\"".to_owned(), "1:1: ", "either file or url"),
        ("[default]\nroute = \"[a.example]:465\"".to_owned(), "2:9: ", "this port with route_tls = \"implicit\""),
        ("[default]\nfallback = \"[a.example]:465\"".to_owned(), "2:12: ", "at a fallback TLS begins with STARTTLS"),
        ("[default]\nroute_tls = \"implicit\"".to_owned(), "2:13: ", "together with route, in the same table"),
        ("[[domain]]\nmatch = \"a.example\"\nroute_tls = \"implicit\"".to_owned(), "3:13: ", "together with route"),
        ("[default]\ntls = \"off\"".to_owned(), "2:7: ", "allowed: \"may\", \"encrypt\", \"verify\""),
        ("[[list]]\nkind = \"strict\"\nfile = \"some.list\"\ndane = \"off\"".to_owned(), "4:8: ", "kind = \"danefail\""),
        ("[[list]]\nkind = \"danefail\"\nurl = \"http://a.example/l\"".to_owned(), "3:7: ", "https://"),
        (
            "[[domain]]\nmatch = [\"a.example\"]\ndane = \"off\"\n[[domain]]\nmatch = [\"A.example\"]\ndane = \"strict\""
                .to_owned(),
            "4:1: ",
            "dane is set for the same name by the rule in line 1",
        ),
        (
            "[[mx]]\nmatch = [\".a.example\"]\nconnections = 1\n[[mx]]\nmatch = [\".A.example\"]\nconnections = 2"
                .to_owned(),
            "4:1: ",
            "connections is set for the same name by the rule in line 1",
        ),
    ] {
        let error = error(&text);
        assert!(error.starts_with(place) && error.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn rules_may_share_a_name_if_they_set_different_keys() {
    let text = "[[domain]]\nmatch = [\"a.example\", \"a.example\"]\ndane = \"off\"\n[[domain]]\nmatch = [\"a.example\"]\ntls = \"encrypt\"";
    assert_eq!(warnings(text), [""; 0]);
}

/// The page for administrators has a row for each key, and no other.
#[test]
fn every_key_is_in_the_documentation() {
    let page = include_str!("../../../docs/policy.md");
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
        if let (Some(table), Some(key)) = (cells.next(), cells.next())
            && (table == "top" || table.starts_with('['))
        {
            rows.push((table, key));
        }
    }
    for table in ["[default]", "[[domain]]", "[[mx]]", "[[list]]", "[[exception]]"] {
        let said = errors(&format!("{table}\nqqqqqqqqqq = 1\n")).join("\n");
        let (_, allowed) = said.split_once("allowed here: ").unwrap();
        let allowed = allowed.lines().next().unwrap();
        let mut known: Vec<&str> = allowed.split(", ").map(|key| key.trim_matches('"')).collect();
        let documented = rows.iter().filter(|(at, _)| *at == table);
        let mut documented: Vec<&str> = documented.map(|(_, key)| *key).collect();
        known.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, known, "{table}");
    }
}

#[test]
fn a_list_with_a_url_is_the_last_good_copy() {
    let list = |kind: &str, more: &str| {
        format!("[[list]]\nkind = \"{kind}\"\nurl = \"https://lists.example/l\"\n{more}")
    };
    for (kind, mode) in [
        ("strict", "strict"),
        ("soft-fail", "soft-fail"),
        ("danefail", "off"),
    ] {
        let (policy, said) = common::compile(&list(kind, ""));
        assert_eq!(said, []);
        let found = common::of(&policy, "fetched.example");
        assert_eq!(found.dane.as_str(), mode);
        let (file, line) = policy.place_of(&found.dane_source).unwrap();
        assert_eq!((file.to_str(), line), (Some("/var/lib/relay/lists/l"), 2));
        let source = found.dane_source.to_string();
        assert_eq!(
            source.split_once(' ').unwrap().1.trim_start_matches("list "),
            "https://lists.example/l:2"
        );
    }
    // Too old: a weaker list is ignored, a strict one is not.
    for (kind, mode) in [("strict", "strict"), ("danefail", "opportunistic")] {
        let (policy, said) = common::compile(&list(kind, "refresh = \"1m\"\nmax_age = \"30m\""));
        assert_eq!(common::of(&policy, "fetched.example").dane.as_str(), mode);
        let [warning] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert!(
            warning.to_string().contains("longer than its max_age"),
            "{warning}"
        );
    }
    let remote = common::policy(&list("danefail", "refresh = \"5m\""))
        .remote_lists()
        .to_vec();
    let [remote] = remote.as_slice() else {
        panic!("{remote:?}")
    };
    assert_eq!(
        (remote.refresh.as_secs(), remote.max_age.as_secs()),
        (300, 30 * 86_400)
    );
}

#[test]
fn a_rule_about_a_routes_server_matches_no_mail_that_goes_there() {
    let rule = |name: &str| format!("[[domain]]\nmatch = \"{name}\"\ndane = \"strict\"\n");
    let route = "[default]\nroute = \"[smart.example]:587\"\nfallback = \"backup.example\"\n";
    let [said] = <[String; 1]>::try_from(warnings(&format!("{route}{}", rule("smart.example")))).unwrap();
    assert!(
        said.starts_with(
            "conf/policy.toml:4: this rule is about mail whose recipients are at \"smart.example\""
        ),
        "{said}"
    );
    for other in ["backup.example", ".smart.example"] {
        assert_eq!(warnings(&format!("{route}{}", rule(other))), [""; 0], "{other}");
    }
}

#[test]
fn a_list_that_was_never_fetched_is_missing_where_that_lowers_security() {
    let list = |kind: &str| format!("[[list]]\nkind = \"{kind}\"\nurl = \"https://lists.example/new\"");
    let (_, said) = common::compile(&list("danefail"));
    assert_eq!(
        said.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "/etc/relay/policy.toml:3: the danefail list https://lists.example/new has not been fetched yet, and nobody \
          counts as being on it"
        ]
    );
    let refused = error(&list("strict"));
    assert!(
        refused.starts_with("3:7: the strict list has not been fetched yet"),
        "{refused}"
    );
}

#[test]
fn bad_lines_of_lists_are_reported_and_skipped() {
    assert_eq!(
        warnings("[[list]]\nkind = \"strict\"\nfile = \"some.list\"\nmax_age = \"1d\""),
        [
            "conf/policy.toml:4: max_age has no effect here: it is for lists with a url",
            "conf/some.list:2: skipped: a character that a domain name cannot have",
        ]
    );
    let many = warnings("[[list]]\nkind = \"strict\"\nfile = \"many.list\"");
    assert_eq!(many.len(), 21);
    assert_eq!(many[20], "conf/many.list:21: 30 further bad lines were skipped");
}

/// What is lost with a strict list is security: the file is refused. What is lost with another is convenience.
#[test]
fn a_list_that_is_none_is_named() {
    let list = |kind: &str, file: &str| format!("[[list]]\nkind = \"{kind}\"\nfile = \"{file}\"");
    for (file, words) in [
        (
            "html.list",
            "conf/html.list is an HTML page and no list of domains",
        ),
        (
            "other.list",
            "conf/other.list is no list of domains: not one of its lines is a domain",
        ),
        ("missing.list", "the danefail list cannot be read"),
        (
            "empty.list",
            "there is no domain on the danefail list conf/empty.list",
        ),
    ] {
        let danefail = warnings(&list("danefail", file));
        assert_eq!(danefail.len(), 1, "{danefail:?}");
        assert!(
            danefail[0].starts_with("conf/policy.toml:3: ") && danefail[0].contains(words),
            "{danefail:?}"
        );
        if file == "empty.list" {
            assert_eq!(warnings(&list("strict", file)).len(), 1);
        } else {
            let strict = error(&list("strict", file));
            assert!(
                strict.starts_with("3:8: ") && strict.contains("security would be lower"),
                "{strict}"
            );
        }
    }
}

#[test]
fn what_rules_do_not_do_is_named() {
    assert_eq!(
        warnings("[[mx]]\nmatch = [\"a.example\"]"),
        ["conf/policy.toml:1: this rule sets nothing for what it matches"]
    );
    let text = "[[domain]]\nmatch = [\"a.example\"]\n[[domain]]\nmatch = [\"b.example\"]\ndane = \"strict\"\nfallback = \"mx.example\"\n\
                [[domain]]\nmatch = [\"good.example\"]\ndane = \"strict\"\n[[list]]\nkind = \"danefail\"\nfile = \"many.list\"";
    let warnings: Vec<_> = warnings(text)
        .into_iter()
        .filter(|warning| warning.contains("policy.toml"))
        .collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert_eq!(
        warnings[0],
        "conf/policy.toml:1: this rule sets nothing for what it matches"
    );
    assert!(
        warnings[2].starts_with("conf/policy.toml:6: this fallback has no effect"),
        "{warnings:?}"
    );
    assert_eq!(
        warnings[1],
        "conf/policy.toml:7: \"good.example\" is also on the danefail list many.list (line 1); it stays strict"
    );
}

/// A table of logins, each with what is said about it.
#[test]
fn a_login_needs_a_server_that_can_be_authenticated() {
    let login = "route_login = \"smart.login\"\n";
    for (rest, place, words) in [
        (
            "route = \"[192.0.2.1]\"\ntls = \"verify\"",
            "3:15: ",
            "allowed: a route to a name",
        ),
        (
            "route = \"[a.example]\"\ndane = \"off\"",
            "3:15: ",
            "with dane = \"off\" and tls = \"may\" none is (for .b.example)",
        ),
        (
            "route = \"a.example\"\ndane = \"off\"\ntls = \"encrypt\"",
            "3:15: ",
            "allowed: tls = \"verify\", or DANE",
        ),
        ("dane = \"strict\"", "3:15: ", "route_login is about a route"),
    ] {
        let error = error(&format!("[[domain]]\nmatch = \".b.example\"\n{login}{rest}"));
        assert!(
            error.starts_with(place) && error.contains(words),
            "{rest}: {error}"
        );
    }
    let by_default = error(&format!(
        "[default]\n{login}route = \"[a.example]\"\ndane = \"off\""
    ));
    assert!(
        by_default.contains("none is (for all other mail)"),
        "{by_default}"
    );
    for good in [
        "tls = \"verify\"",
        "dane = \"strict\"",
        "tls = \"verify\"\ndane = \"off\"",
    ] {
        assert_eq!(
            warnings(&format!("[default]\n{login}route = \"[a.example]\"\n{good}")),
            [""; 0],
            "{good}"
        );
    }
    let warnings = warnings(&format!("[default]\n{login}route = \"[a.example]:587\""));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("if [a.example]:587 has no secure TLSA records, mail will wait"),
        "{warnings:?}"
    );
}

#[test]
fn a_file_that_is_no_login_is_named_and_not_shown() {
    for (file, words) in [
        ("short.login", "the file does not have two lines"),
        (
            "missing.login",
            "the login cannot be read: conf/missing.login: no conf/missing.login",
        ),
    ] {
        let error = error(&format!(
            "[default]\nroute = \"a.example\"\ntls = \"verify\"\nroute_login = \"{file}\""
        ));
        assert!(error.starts_with("4:15: ") && error.contains(words), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn ways_that_are_never_taken_are_named() {
    let strict = "dane = \"strict\"\n";
    for (text, words) in [
        (
            format!("[default]\n{strict}fallback = \"a.example\""),
            "3: this fallback has no effect",
        ),
        (
            format!("[default]\n{strict}route = \"[192.0.2.1]\""),
            "3: no mail takes this route",
        ),
        (
            format!("[default]\n{strict}[[domain]]\nmatch = \".a.example\"\nroute = \"[192.0.2.1]\""),
            "5: no mail takes this route",
        ),
    ] {
        let warnings = warnings(&text);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].starts_with(&format!("conf/policy.toml:{words}")),
            "{warnings:?}"
        );
    }
    let text = format!(
        "[default]\n{strict}[[domain]]\nmatch = [\".a.example\"]\ndane = \"off\"\nroute = \"[192.0.2.1]\""
    );
    assert_eq!(warnings(&text), [""; 0]);
}

/// What the template does not name, nobody finds.
#[test]
fn every_key_is_in_the_template() {
    for (table, key, _) in KEYS {
        let written = format!("{key} = ");
        let is_written = TEMPLATE
            .lines()
            .any(|line| line.trim_start_matches(['#', ' ']).starts_with(&written));
        let is_named = TEMPLATE.contains(&format!("# {key}")) || TEMPLATE.contains(&format!("# {key}:"));
        assert!(is_written || is_named, "{table} {key}");
        assert!(table.is_empty() || TEMPLATE.contains(table), "{table}");
    }
}

#[test]
fn a_bare_address_as_a_route_is_told_its_brackets() {
    let error = error("[[domain]]\nmatch = [\"a.example\"]\nroute = \"192.0.2.1:587\"");
    assert!(
        error.starts_with("3:9: `domain.route` cannot be \"192.0.2.1:587\": an address stands in brackets, \"[192.0.2.1]:587\","),
        "{error}"
    );
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_place() {
    assert!(errors("[default\ndane = \"off\"")[0].starts_with("conf/policy.toml:1:9: "));
}

const TEMPLATE: &str = include_str!("../../../config/policy.toml");

#[test]
fn the_template_is_the_built_in_policy() {
    let none = |path: &Path| panic!("the template names no list, but {path:?} was read");
    let (policy, warnings) = compile_from("policy.toml", TEMPLATE, &none).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(policy.lists().is_empty());
    assert_eq!(policy.negative_trust_anchors(TODAY).count(), 0);
    for name in [
        "a.example",
        "xs4all.nl",
        "internal.example",
        "example.dk",
        "[192.0.2.1]",
    ] {
        let hop = name.parse().unwrap();
        let expected = Policy::builtin().for_destination(&hop, TODAY);
        assert_eq!(policy.for_destination(&hop, TODAY), expected, "{name}");
    }
}

#[test]
fn rules_for_all_names_below_one_are_compared_with_the_lists_too() {
    let lists = |path: &Path| {
        Ok(match path.to_str().unwrap() {
            "strict.list" => "a.nl\nb.nl\nnl\nbnl\n",
            _ => "a.de\nb.de\nexcepted.de\n",
        }
        .to_owned())
    };
    let text = "version = 1\n[[list]]\nkind = \"strict\"\nfile = \"strict.list\"\n[[list]]\nkind = \"danefail\"\nfile = \"fail\"\n\
                [[domain]]\nmatch = [\".nl\"]\ndane = \"off\"\n[[domain]]\nmatch = [\".de\"]\ndane = \"strict\"\n\
                [[domain]]\nmatch = [\"excepted.de\"]\ndane = \"opportunistic\"\n[[domain]]\nmatch = [\"co.uk\"]\ndane = \"strict\"\n";
    let (_, warnings) = compile_from("policy.toml", text, &lists).unwrap();
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let strict = |name: &str, line: usize| {
        format!(
            "policy.toml:8: dane = \"off\" has no effect on {name:?}, which is on the strict list strict.list (line {line}); only an \
             exception with override_strict = true has"
        )
    };
    let weak = |name: &str, line: usize| {
        format!("policy.toml:11: {name:?} is also on the danefail list fail (line {line}); it stays strict")
    };
    let alone = "policy.toml:17: \"co.uk\" is this name alone, at which hardly anybody has mail; all names below it are written \
                 \".co.uk\"";
    let mut expected = vec![
        strict("a.nl", 1),
        strict("b.nl", 2),
        weak("a.de", 1),
        weak("b.de", 2),
        alone.to_owned(),
    ];
    expected.sort();
    let mut said = said;
    said.sort();
    assert_eq!(said, expected);
}

#[test]
fn every_default_is_written_out_in_the_template() {
    for key in ["dane = ", "insecure_mx = ", "tls = ", "version = "] {
        assert!(TEMPLATE.lines().any(|line| line.starts_with(key)), "{key}");
    }
}

#[test]
fn the_examples_of_the_template_are_sound() {
    let text: Vec<_> = TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
            Some(_) | None => line,
        })
        .collect();
    let read = |path: &Path| match path.extension() {
        Some(login) if login == "login" => Ok("user\nsecret\n".to_owned()),
        Some(_) | None => Ok("listed.example\n".to_owned()),
    };
    let (policy, warnings) = compile_from("policy.toml", &text.join("\n"), &read).unwrap();
    assert_eq!(policy.lists().len(), 2);
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("has not been fetched yet"), "{said:?}");
    assert!(said[1].contains("it stays strict"), "{said:?}");
}

/// Every key of the file in its table, and a table that is sound but for it.
const KEYS: [(&str, &str, &str); 37] = [
    ("", "version", ""),
    ("[default]", "dane", ""),
    ("[default]", "insecure_mx", ""),
    ("[default]", "tls", ""),
    ("[default]", "mta_sts", ""),
    ("[default]", "honor_tls_required_no", ""),
    ("[default]", "route", ""),
    ("[default]", "route_tls", "route = \"a.example\""),
    ("[default]", "route_login", "route = \"a.example\""),
    ("[default]", "fallback", ""),
    ("[[domain]]", "match", ""),
    ("[[domain]]", "dane", "match = \"a.example\""),
    ("[[domain]]", "insecure_mx", "match = \"a.example\""),
    ("[[domain]]", "tls", "match = \"a.example\""),
    ("[[domain]]", "mta_sts", "match = \"a.example\""),
    ("[[domain]]", "honor_tls_required_no", "match = \"a.example\""),
    ("[[domain]]", "route", "match = \"a.example\""),
    (
        "[[domain]]",
        "route_tls",
        "match = \"a.example\"\nroute = \"a.example\"",
    ),
    (
        "[[domain]]",
        "route_login",
        "match = \"a.example\"\nroute = \"a.example\"",
    ),
    ("[[domain]]", "fallback", "match = \"a.example\""),
    ("[[domain]]", "connections", "match = \"a.example\""),
    ("[[domain]]", "messages_per_minute", "match = \"a.example\""),
    ("[[mx]]", "match", ""),
    ("[[mx]]", "connections", "match = \"a.example\""),
    ("[[mx]]", "messages_per_minute", "match = \"a.example\""),
    ("[[list]]", "kind", "file = \"some.list\""),
    ("[[list]]", "file", "kind = \"danefail\""),
    ("[[list]]", "url", "kind = \"danefail\""),
    ("[[list]]", "refresh", "kind = \"danefail\"\nfile = \"some.list\""),
    ("[[list]]", "max_age", "kind = \"danefail\"\nfile = \"some.list\""),
    ("[[list]]", "dane", "kind = \"danefail\"\nfile = \"some.list\""),
    (
        "[[exception]]",
        "domain",
        "dane = \"off\"\nuntil = 2027-01-31\nreason = \"r\"",
    ),
    (
        "[[exception]]",
        "mx",
        "dane = \"off\"\nuntil = 2027-01-31\nreason = \"r\"",
    ),
    (
        "[[exception]]",
        "dnssec",
        "domain = \"a.example\"\nuntil = 2027-01-31\nreason = \"r\"",
    ),
    (
        "[[exception]]",
        "override_strict",
        "domain = \"a.example\"\ndane = \"off\"\nuntil = 2027-01-31\nreason = \"r\"",
    ),
    (
        "[[exception]]",
        "until",
        "domain = \"a.example\"\ndane = \"off\"\nreason = \"r\"",
    ),
    (
        "[[exception]]",
        "reason",
        "domain = \"a.example\"\ndane = \"off\"\nuntil = 2027-01-31",
    ),
];

/// Values of every kind that TOML has, and some that are no TOML. No key takes one of them but a text or a number.
const VALUES: [&str; 12] = [
    "-5",
    "7.5",
    "2027-1-31",
    "2027-01-31T00:00:00Z",
    "12:30:00",
    "\"no such thing\"",
    "unquoted",
    "[[]]",
    "[7]",
    "[]",
    "{ wrong = 1 }",
    "",
];

/// What belongs to the program's insides, and has no place in front of an administrator.
const INSIDES: [&str; 17] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "expected",
    "TOML parse",
    "Some(",
    "struct",
    "enum",
    "variant",
    "missing field",
    "unknown field",
    "i64",
    "u32",
    "usize",
    "nonzero",
    "boolean",
    "sequence",
];

#[test]
fn every_key_says_what_it_takes_in_plain_words() {
    for (table, key, rest) in KEYS {
        let dotted = match table.trim_matches(['[', ']']) {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        };
        let mut refused = 0;
        for value in VALUES {
            let text = format!("{table}\n{key} = {value}\n{rest}\n");
            let Err(errors) = compile(&text) else { continue };
            refused += 1;
            assert_eq!(errors.len(), 1, "{text}{errors:#?}");
            let column = key.len() + 4;
            let places = [column, column + 1].map(|column| format!("conf/policy.toml:2:{column}: "));
            assert!(
                places.iter().any(|place| errors[0].starts_with(place)),
                "{text}{errors:#?}"
            );
            assert!(
                errors[0].contains(&format!("`{dotted}` "))
                    || errors[0].contains("https://")
                    || errors[0].contains("the list")
                    || errors[0].contains("the login"),
                "{text}{errors:#?}"
            );
            assert!(
                errors[0].contains("allowed")
                    || errors[0].contains("the list")
                    || errors[0].contains("the login"),
                "{text}{errors:#?}"
            );
            for word in INSIDES {
                assert!(!errors[0].contains(word), "{word}: {errors:#?}");
            }
        }
        assert!(refused >= 10, "{dotted}: only {refused} refused");
        let near = format!("{table}\n{key}x = 1\n{rest}\n");
        let said = format!("unknown key \"{key}x\", did you mean \"{key}\"?");
        assert!(
            errors(&near).iter().any(|error| error.contains(&said)),
            "{:#?}",
            errors(&near)
        );
        let twice = format!("{table}\n{key} = 1\n{rest}\n{key} = 1\n");
        let said = format!("`{dotted}` is set twice; the first is in line 2");
        assert!(
            errors(&twice).iter().any(|error| error.contains(&said)),
            "{:#?}",
            errors(&twice)
        );
    }
}
