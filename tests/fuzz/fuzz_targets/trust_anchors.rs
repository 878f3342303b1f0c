//! See `danerelay_tests::fuzz::trust_anchors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::trust_anchors(octets));
