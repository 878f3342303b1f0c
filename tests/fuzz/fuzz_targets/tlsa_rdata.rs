//! See `danerelay_tests::fuzz::tlsa_rdata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| danerelay_tests::fuzz::tlsa_rdata(octets));
