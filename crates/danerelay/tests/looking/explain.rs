//! `danerelay explain`
