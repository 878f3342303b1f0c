//! What the manual tells administrators to configure in the servers in front of the relay.

use crate::relay::{HOST, PORT};

/// `docs/quick-start.md`.
const QUICK_START: &str = include_str!("../../docs/quick-start.md");
/// `docs/from-postfix.md`.
const FROM_POSTFIX: &str = include_str!("../../docs/from-postfix.md");

/// The lines for `main.cf`.
pub fn postfix() -> &'static str {
    block(QUICK_START, "# main.cf\n")
}

/// The router and the transport for Exim.
pub fn exim() -> [&'static str; 2] {
    ["danerelay:\n", "danerelay_smtp:\n"].map(|start| block(QUICK_START, start))
}

/// The lines for `main.cf` on the page about migration, in its order: for one domain, for the hop to the relay, for all mail.
pub fn migration() -> Vec<&'static str> {
    let blocks = FROM_POSTFIX.split("```\n");
    blocks.filter(|block| block.starts_with("# main.cf\n")).collect()
}

/// The block of the page that begins with this.
fn block(page: &'static str, start: &str) -> &'static str {
    let mut blocks = page.split("```\n").skip(1);
    blocks
        .find(|block| block.starts_with(start))
        .unwrap_or_else(|| panic!("no block begins with {start}"))
}

/// Settings of the manual, which lead to the relay's usual place, for another.
pub fn leading_to(settings: &str, host: &str, port: u16) -> String {
    assert!(
        settings.contains(HOST) || settings.contains(&PORT.to_string()),
        "{settings}"
    );
    settings
        .replace(HOST, host)
        .replace(&PORT.to_string(), &port.to_string())
}
