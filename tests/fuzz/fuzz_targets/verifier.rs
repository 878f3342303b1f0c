//! See `danerelay_tests::fuzz::verifier`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::verifier(octets));
