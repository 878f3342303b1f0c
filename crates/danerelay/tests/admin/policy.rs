//! The policy of a running daemon: its files change, lists are fetched, and commands add exceptions.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};
use testworld::dns::World;
use testworld::mail::{Ca, Identity, Receiver, free_port_on};
use testworld::web::{Page, WebServer};

use crate::common::pem::pem;
use crate::common::{Client, Relay, asking, prepared};

/// Two receivers, one of which does not match its TLSA record, and a web server, under one authority.
struct Scene {
    world: World,
    web: WebServer,
    ca: Ca,
    good: Receiver,
    _wrong: Receiver,
    anchor: NamedTempFile,
}

impl Scene {
    async fn new() -> Self {
        let world = World::start().await.unwrap();
        world.domain("test").signed().add().unwrap();
        let ca = Ca::new("Test CA").unwrap();
        let web = WebServer::start(&ca.issue(&["lists.test"]).unwrap())
            .await
            .unwrap();
        world
            .domain("lists.test")
            .signed()
            .host("lists.test", web.address())
            .add()
            .unwrap();
        let identity = ca.issue(&["mx.good.test"]).unwrap();
        let at: [IpAddr; 2] = [[127, 0, 2, 1].into(), [127, 0, 2, 2].into()];
        let port = free_port_on(&at).unwrap();
        let [here, there] = at.map(|address| SocketAddr::new(address, port));
        let good = Receiver::builder("mx.good.test").identity(&identity);
        let good = good.address(here).start().await.unwrap();
        let zone = world.domain("good.test").signed();
        let zone = zone.mx(10, "mx.good.test", good.address());
        zone.tlsa(identity.tlsa_3_1_1()).add().unwrap();
        let other = Identity::self_signed(&["mx.wrong.test"]).unwrap();
        let wrong = Receiver::builder("mx.wrong.test").identity(&other);
        let wrong = wrong.address(there).start().await.unwrap();
        let zone = world.domain("wrong.test").signed();
        let zone = zone.mx(10, "mx.wrong.test", wrong.address());
        zone.tlsa(identity.tlsa_3_1_1()).add().unwrap();
        Self {
            world,
            web,
            ca,
            good,
            _wrong: wrong,
            anchor: NamedTempFile::new().unwrap(),
        }
    }

    /// A directory with a configuration and this policy.
    fn prepared(&self, policy: &str) -> TempDir {
        let port = format!("port = {}\n", self.good.address().port());
        let more = asking(&self.world, "validate", self.anchor.path()) + &port;
        let directory = prepared(&(more + "[tls]\nwebpki_roots = \"roots.pem\"\n"));
        fs::write(directory.path().join("roots.pem"), pem(self.ca.certificate())).unwrap();
        fs::write(directory.path().join("policy.toml"), policy).unwrap();
        directory
    }

    fn url(&self) -> String {
        format!("https://lists.test:{}/list", self.web.address().port())
    }

    /// Runs a test that blocks beside the world.
    async fn play(self, test: impl FnOnce(&Self) + Send + 'static) {
        tokio::task::spawn_blocking(move || test(&self)).await.unwrap();
    }
}

fn explained(relay: &Relay, destination: &str) -> Value {
    let end = relay.run(&["explain", "--json", destination]);
    serde_json::from_str(&end.stdout).unwrap_or_else(|error| panic!("{error}: {}", end.stderr))
}

/// How much DANE counts, and where that is written.
fn dane(relay: &Relay, destination: &str) -> (Value, Value) {
    let found = explained(relay, destination);
    (found["policy"]["dane"].clone(), found["decided_by"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_fetched_kept_and_held_back() {
    let scene = Scene::new().await;
    scene.web.put(
        "/list",
        Page::text("# broken\nwrong.test\n").field("ETag", "\"1\""),
    );
    scene
        .play(|scene| {
            let url = scene.url();
            let policy = format!("version = 1\n[[list]]\nkind = \"danefail\"\nurl = \"{url}\"\n");
            let mut relay = Relay::start_in(scene.prepared(&policy), |command| command);
            // Before the first delivery.
            let (mode, by) = dane(&relay, "wrong.test");
            assert_eq!(
                (&mode, &by["kind"], &by["line"]),
                (&json!("off"), &json!("danefail"), &json!(2))
            );
            let copy = by["file"].as_str().unwrap().to_owned();
            assert_eq!(fs::read_to_string(&copy).unwrap(), "# broken\nwrong.test\n");
            assert_eq!(
                explained(&relay, "wrong.test")["policy"]["source"],
                format!("danefail {url}:2")
            );

            scene.web.put("/list", Page::text("good.test\nother.test\n"));
            relay.print(&["reload"]);
            let line = relay.wait_for("status=list-fetched");
            assert!(line.contains(&format!("list=\"{url}\", entries=2")), "{line}");
            relay.wait_for_lines("status=loaded", 2);
            assert_eq!(dane(&relay, "good.test").0, "off");
            assert_eq!(dane(&relay, "wrong.test").0, "opportunistic");

            scene.web.put("/list", Page::text("<html>moved</html>"));
            relay.print(&["reload"]);
            let line = relay.wait_for("status=list-held-back");
            assert!(
                line.contains("is an HTML page and no list of domains; it is held back in"),
                "{line}"
            );
            assert_eq!(dane(&relay, "good.test").0, "off");
            let table = relay.print(&["danefail", "list"]);
            assert!(
                table.contains(&format!("list {url} is held back since ")),
                "{table}"
            );
            // It is an incident of its own, until it is mended.
            let id = format!("our-list-held-back/{}", url.strip_prefix("https://").unwrap());
            let line = relay.wait_for("status=opened");
            assert!(
                line.contains(&format!("id={id}")) || line.contains(&format!("id=\"{id}\"")),
                "{line}"
            );
            let page = relay.print(&["incidents", "show", &id]);
            assert!(page.contains("is an HTML page and no list of domains"), "{page}");
            scene.web.put("/list", Page::text("good.test\nother.test\n"));
            relay.print(&["reload"]);
            let line = relay.wait_for("status=closed");
            assert!(line.contains(&id), "{line}");
            assert!(relay.print(&["incidents"]).starts_with("no incidents"));
            // Without the server the copy holds, also after a restart.
            scene.web.put("/list", Page::status(503));
            relay.stop();
            relay.start_again();
            assert_eq!(dane(&relay, "good.test").0, "off");
            relay.wait_for("status=list-not-fetched");

            // A copy that is too old is ignored until the server says that it is current.
            relay.stop();
            let facts = std::path::Path::new(&copy).with_extension("json");
            let mut known: Value = serde_json::from_str(&fs::read_to_string(&facts).unwrap()).unwrap();
            known["current"] = json!("2000-01-01T00:00:00Z");
            fs::write(&facts, known.to_string()).unwrap();
            relay.start_again();
            relay.wait_for("status=list-too-old");
            relay.wait_for("cause=list-too-old");
            assert_eq!(dane(&relay, "good.test").0, "opportunistic");
            let list = relay.print(&["incidents"]);
            assert!(
                list.contains(&format!("our copy of the list {url}: it could not be refreshed")),
                "{list}"
            );
            scene.web.put("/list", Page::text("good.test\nother.test\n"));
            // It warns of the copy, which was too old until then.
            assert_eq!(relay.run(&["reload"]).status, 0);
            let line = relay.wait_for("status=closed");
            assert!(line.contains("cause=list-too-old"), "{line}");
            relay.wait_for_lines("status=loaded", 2);
            assert_eq!(dane(&relay, "good.test").0, "off");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_list_that_was_never_fetched_stops_the_start() {
    let scene = Scene::new().await;
    scene
        .play(|scene| {
            let url = scene.url();
            let policy = format!("version = 1\n[[list]]\nkind = \"strict\"\nurl = \"{url}\"\n");
            let directory = scene.prepared(&policy);
            let output = crate::common::serve(directory.path()).output().unwrap();
            let words = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{words}");
            assert!(words.contains("answers with the status 404"), "{words}");
            assert!(
                words.contains("policy.toml:4:7: the strict list has not been fetched yet"),
                "{words}"
            );
            scene.web.put("/list", Page::text("good.test\n"));
            let relay = Relay::start_in(directory, |command| command);
            assert_eq!(dane(&relay, "good.test").0, "strict");
            // A further one is fetched before the policy that names it is read.
            scene.web.put("/more", Page::text("wrong.test\n"));
            let more = policy.replace("/list\"", "/more\"").replace("version = 1\n", "");
            fs::write(relay.path("policy.toml"), policy + &more).unwrap();
            relay.wait_for("status=loaded");
            assert_eq!(dane(&relay, "wrong.test").0, "strict");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_new_list_is_fetched_everything_else_is_answered() {
    let scene = Scene::new().await;
    scene.web.put("/list", Page::Silence);
    scene
        .play(|scene| {
            let mut relay = Relay::start_in(scene.prepared("version = 1\n"), |command| command);
            let policy = format!(
                "version = 1\n[[list]]\nkind = \"strict\"\nurl = \"{}\"\n",
                scene.url()
            );
            fs::write(relay.path("policy.toml"), &policy).unwrap();
            let reload = relay
                .command(&["reload"])
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            while !scene
                .web
                .asked()
                .iter()
                .any(|asked| asked.starts_with("GET /list "))
            {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            // Mail goes by the policy that is in force, and a signal is heard.
            Client::connect(relay.address).send("someone@good.test");
            relay.wait_for("status=sent");
            relay.signal(rustix::process::Signal::HUP);
            assert_eq!(dane(&relay, "good.test").0, "opportunistic");
            relay.stop();
            assert!(!relay.log().contains("it did not come within"), "{}", relay.log());
            let end = reload.wait_with_output().unwrap();
            assert_eq!(end.status.code(), Some(3));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_files_take_effect_by_themselves_and_wrong_ones_do_not() {
    let scene = Scene::new().await;
    scene
        .play(|scene| {
            let list = "version = 1\n[[list]]\nkind = \"soft-fail\"\nfile = \"soft.list\"\n";
            let directory = scene.prepared(list);
            fs::write(directory.path().join("soft.list"), "good.test\n").unwrap();
            let relay = Relay::start_in(directory, |command| command);
            assert_eq!(dane(&relay, "good.test").0, "soft-fail");
            fs::write(relay.path("soft.list"), "wrong.test # since today\n").unwrap();
            relay.wait_for("status=loaded");
            let (mode, by) = dane(&relay, "wrong.test");
            let file = relay.path("soft.list").display().to_string();
            assert_eq!(
                (mode, by),
                (
                    json!("soft-fail"),
                    json!({"kind": "soft-fail-list", "file": file, "line": 1})
                )
            );
            fs::write(
                relay.path("policy.toml"),
                format!("{list}[default]\ndane = \"of\"\n"),
            )
            .unwrap();
            let line = relay.wait_for("status=refused");
            assert!(
                line.contains("policy.toml:6:8: ") && line.contains("allowed: "),
                "{line}"
            );
            assert_eq!(dane(&relay, "wrong.test").0, "soft-fail");
            // What is added now is written, and not in force.
            let end = relay.run(&["danefail", "add", "good.test", "--reason", "r"]);
            assert_eq!(end.status, 2, "{}", end.stderr);
            assert!(
                end.stderr
                    .contains("exceptions.toml, but not in force: the running relay refuses the policy")
                    && end.stderr.contains("policy.toml:6:8: "),
                "{}",
                end.stderr
            );
            assert_eq!(dane(&relay, "good.test").0, "opportunistic");
            let end = relay.run(&["danefail", "remove", "good.test"]);
            assert_eq!(end.status, 2, "{}", end.stderr);
            fs::write(
                relay.path("policy.toml"),
                format!("{list}[default]\ndane = \"off\"\n"),
            )
            .unwrap();
            relay.wait_for_lines("status=loaded", 2);
            assert_eq!(dane(&relay, "good.test").0, "off");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_excepts_is_in_force_until_it_is_removed() {
    let scene = Scene::new().await;
    scene
        .play(|scene| {
            let relay = Relay::start_in(scene.prepared("version = 1\n"), |command| command);
            Client::connect(relay.address).send("someone@wrong.test");
            relay.wait_for("status=deferred");
            let suggested = relay.print(&["danefail", "suggest"]);
            let command = suggested.lines().find(|line| !line.starts_with('#')).unwrap();
            assert!(command.starts_with("danerelay danefail add "), "{suggested}");
            assert!(
                command.contains("wrong.test --dane soft-fail --until "),
                "{suggested}"
            );
            let suggested: Value =
                serde_json::from_str(&relay.print(&["danefail", "suggest", "--json"])).unwrap();
            assert_eq!(
                suggested["suggestions"][0]["incident"]["messages"], 1,
                "{suggested}"
            );
            let added = relay.print(&[
                "danefail",
                "add",
                "wrong.test",
                "--reason",
                "key \"rolled\"",
                "--until",
                "10d",
            ]);
            assert!(added.starts_with("added: domain wrong.test, until "), "{added}");
            let (mode, by) = dane(&relay, "wrong.test");
            let file = relay.path("state/exceptions.toml").display().to_string();
            assert_eq!(
                (mode, &by["file"], &by["kind"]),
                (json!("off"), &json!(file), &json!("exception"))
            );
            relay.print(&["queue", "retry", "--all"]);
            let sent = relay.wait_for("status=sent");
            assert!(sent.contains("dane=\"Skip (Exception until "), "{sent}");

            relay.print(&[
                "danefail",
                "add",
                "--mx",
                ".below.test",
                "--reason",
                "r",
                "--dane",
                "soft-fail",
            ]);
            let listed: Value = serde_json::from_str(&relay.print(&["danefail", "list", "--json"])).unwrap();
            let short: Vec<_> = listed["exceptions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    [
                        &one["kind"],
                        &one["names"],
                        &one["dane"],
                        &one["days_left"],
                        &one["added"],
                        &one["reason"],
                    ]
                })
                .map(|fields| json!(fields))
                .collect();
            assert_eq!(
                short,
                [
                    json!(["domain", "wrong.test", "off", 10, true, "key \"rolled\""]),
                    json!(["mx", ".below.test", "soft-fail", 30, true, "r"]),
                ]
            );
            assert_eq!(
                relay.print(&["danefail", "remove", "wrong.test"]),
                "removed: domain wrong.test\n"
            );
            assert_eq!(dane(&relay, "wrong.test").0, "opportunistic");
            let end = relay.run(&["danefail", "remove", "wrong.test"]);
            assert_eq!((end.status, end.stdout.as_str()), (1, ""), "{}", end.stderr);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_again_is_named_and_removed() {
    let scene = Scene::new().await;
    scene
        .play(|scene| {
            let policy = "version = 1\n[[exception]]\nmx = \"mx.good.test\"\ndane = \"soft-fail\"\n\
                          until = 2999-01-01\nreason = \"ours\"\n";
            let relay = Relay::start_in(scene.prepared(policy), |command| command);
            fs::write(
                relay.path("their.list"),
                "good.test # once\nwrong.test\nnowhere.test\n",
            )
            .unwrap();
            let list = relay.path("their.list").display().to_string();
            let added = relay.print(&["danefail", "import", &list]);
            assert_eq!(added, "added: 3, changed: 0\n");
            let long: Vec<String> = (0..5001).map(|number| format!("d{number}.test")).collect();
            fs::write(relay.path("long.list"), long.join("\n")).unwrap();
            let long = relay.path("long.list").display().to_string();
            let end = relay.run(&["danefail", "import", "--dane", "soft-fail", &long]);
            assert_eq!(end.status, 2, "{}", end.stderr);
            let paste = format!("[[list]]\nkind = \"danefail\"\nfile = \"{long}\"\ndane = \"soft-fail\"\n");
            assert!(
                end.stderr
                    .contains("5001 entries, and at most 5000 are imported; nothing was added")
                    && end.stderr.contains(&paste),
                "{}",
                end.stderr
            );
            let end = relay.run(&["danefail", "recheck", "--json"]);
            assert_eq!(end.status, 1, "{}", end.stderr);
            let found: Value = serde_json::from_str(&end.stdout).unwrap();
            let mut states: Vec<String> = found["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    format!(
                        "{} {}",
                        one["name"].as_str().unwrap(),
                        one["state"].as_str().unwrap()
                    )
                })
                .collect();
            states.sort();
            assert_eq!(
                states,
                [
                    "good.test healed",
                    "mx.good.test healed",
                    "nowhere.test gone",
                    "wrong.test failing"
                ],
                "{found}"
            );
            let end = relay.run(&[
                "danefail",
                "recheck",
                "--remove-healed",
                "good.test",
                "wrong.test",
            ]);
            assert_eq!((end.status, end.stderr.as_str()), (0, ""), "{}", end.stdout);
            assert!(
                end.stdout.contains("(removed)  DANE is verified"),
                "{}",
                end.stdout
            );
            assert!(end.stdout.ends_with("1 failing, 1 healed\n"), "{}", end.stdout);
            assert_eq!(dane(&relay, "good.test").0, "opportunistic");
            assert_eq!(dane(&relay, "wrong.test").0, "off");
            let end = relay.run(&["danefail", "compare", &list, "--json"]);
            let groups: Value = serde_json::from_str(&end.stdout).unwrap();
            assert_eq!(
                groups["theirs_and_ours"]["names"],
                json!(["nowhere.test", "wrong.test"])
            );
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_exception_is_announced_and_each_mode_is_explained() {
    let scene = Scene::new().await;
    scene
        .play(|scene| {
            let tomorrow = jiff::Zoned::now().date().tomorrow().unwrap();
            let policy = format!(
                "version = 1\n[[exception]]\ndomain = \"wrong.test\"\ndane = \"off\"\nuntil = {tomorrow}\nreason = \"r\"\n\
                 [[exception]]\nmx = \"mx.good.test\"\ndane = \"off\"\nuntil = 2999-01-01\nreason = \"r\"\n"
            );
            let relay = Relay::start_in(scene.prepared(&policy), |command| command);
            let line = relay.wait_for("event=exception");
            assert!(line.contains(&format!("status=ends, domain=\"wrong.test\", until={tomorrow}")), "{line}");

            let end = relay.run(&["explain", "--connect", "--json", "wrong.test"]);
            let found: Value = serde_json::from_str(&end.stdout).unwrap();
            let modes: Vec<Value> = found["modes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|mode| json!([mode["mode"], mode["would"], mode["dane"], mode["in_force"]]))
                .collect();
            assert_eq!(
                modes,
                [
                    json!(["off", "deliver", format!("Skip (Exception until {tomorrow})"), true]),
                    json!(["soft-fail", "deliver", "Softfail (No matching TLSA RRs)", false]),
                    json!(["opportunistic", "defer", "Fail (No matching TLSA RRs)", false]),
                    json!(["strict", "defer", "Fail (No matching TLSA RRs)", false]),
                ],
                "{found}"
            );
            // What is in force has the exception for the host.
            let found = explained(&relay, "good.test");
            let mode = &found["modes"][2];
            assert_eq!(mode["in_force"], true, "{found}");
            assert_eq!(mode["dane"], "Skip (Exception until 2999-01-01)", "{found}");
            let table = relay.print(&["explain", "wrong.test"]);
            let file = relay.path("policy.toml").display().to_string();
            assert!(table.contains(&format!("decided by   {file}, line 2\n")), "{table}");
            assert!(table.contains("modes        off           deliver"), "{table}");
            let marked = table.lines().filter(|line| line.ends_with("  (without exceptions)"));
            assert_eq!(marked.count(), 3, "{table}");
            assert!(table.contains("(in force)\n"), "{table}");
        })
        .await;
}
