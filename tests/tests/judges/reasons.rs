//! Why a judge differs, from `reasons.txt`: a line for each reason, with the judge, the scenes and the words.

/// One reason, which the page shows once, with a number.
pub(crate) struct Reason {
    pub(crate) judge: String,
    /// The labels of the scenes.
    pub(crate) scenes: Vec<String>,
    pub(crate) words: String,
}

/// All of them, in their order.
pub(crate) fn read(text: &str) -> Vec<Reason> {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut parts = line.splitn(3, " | ").map(str::to_owned);
            let mut part = || {
                parts
                    .next()
                    .unwrap_or_else(|| panic!("a reason has three parts: {line}"))
            };
            Reason {
                judge: part(),
                scenes: part().split_whitespace().map(str::to_owned).collect(),
                words: part(),
            }
        })
        .collect()
}
