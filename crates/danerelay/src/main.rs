//! danerelay
fn main() {}
