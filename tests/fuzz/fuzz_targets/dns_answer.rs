//! See `danerelay_tests::fuzz::dns_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::dns_answer(octets));
