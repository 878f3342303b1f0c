//! Four other programs that verify DANE judge the same domains as `danerelay check`.
//!
//! 1. [`scenes`]: the domains, with what is right or wrong about each.
//! 2. [`stage`]: the servers and the signed tree in this process, and Unbound.
//! 3. [`programs`]: the judges.
//! 4. [`reasons`]: why one differs; [`page`]: the page that shows it all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod page;
mod programs;
mod reasons;
mod scenes;
mod stage;

use std::path::Path;

use danerelay_tests::arena;
use page::Row;
use programs::Opinions;
use stage::Stage;

#[test]
fn what_others_say() {
    arena::run("what_others_say", |directory| {
        let mut stage = Stage::new(directory);
        programs::configure(directory);
        let sets: Vec<_> = (1..)
            .zip(scenes::all())
            .map(|(number, scene)| stage.set(number, scene))
            .collect();
        assert!(sets.len() >= 60, "{}", sets.len());
        let rows: Vec<Row> = sets
            .into_iter()
            .map(|set| Row {
                opinions: Opinions::of(&stage, &set),
                set,
            })
            .collect();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let reasons = reasons::read(&std::fs::read_to_string(here.join("tests/judges/reasons.txt")).unwrap());
        let now = page::text(&rows, &reasons);
        let page = here.join("../docs/conformance/judges.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&page, &now).unwrap();
        }
        let wrong = page::unexplained(&rows, &reasons);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let kept = std::fs::read_to_string(&page).unwrap_or_default();
        assert_eq!(kept, now, "{}", page.display());
    });
}
