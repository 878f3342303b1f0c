//! What whoever receives, or answers for those who do, can bind: sockets and memory.

use std::time::Duration;

use crate::scene::Scene;
use crate::scene::common::OPPORTUNISTIC;
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};

/// How many sockets this process has open (Linux).
fn sockets() -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = all.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// The most that there are at any time until `during` ends, or `limit` is over.
async fn most_sockets(during: impl Future, limit: Duration) -> usize {
    let mut most = 0;
    let counting = async {
        loop {
            most = most.max(sockets());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let both = async {
        tokio::select! {
            _ = during => {}
            () = counting => {}
        }
    };
    let _ = tokio::time::timeout(limit, both).await;
    most
}

#[tokio::test]
async fn one_message_to_many_silent_names_opens_few_sockets() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    scene.world.domain("many.test").signed().add().unwrap();
    scene.world.domain("silent.test").signed().add().unwrap();
    for host in 0..40 {
        let exchange = format!("10 h{host}.silent.test.");
        scene.world.add("many.test", RecordType::MX, &exchange).unwrap();
    }
    let silent = Questions::Below("silent.test".to_owned());
    scene.world.break_dns(&silent, DnsFault::Silence).unwrap();
    let before = sockets();
    // The third time that a question without an answer is asked comes two seconds after the first.
    let most = most_sockets(scene.send_to("a@many.test"), Duration::from_secs(3)).await;
    assert!(most - before <= 48, "{} sockets", most - before);
}
