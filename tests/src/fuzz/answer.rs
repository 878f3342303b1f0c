//! DNS answers, and what they prove.

use dns::fuzzing::{Judgement, Received};

use super::input::Input;

/// Two octets choose which records count as secure, each bit for every sixteenth record; the rest is a message. Without secure
/// records nothing is decided, and denials that are not secure change nothing.
pub fn dns_answer(octets: &[u8]) {
    let mut input = Input::new(octets);
    let choice = u16::from_be_bytes([input.octet(), input.octet()]);
    let Some(mut received) = Received::read(input.rest()) else {
        return;
    };
    for choice in [0, choice, u16::MAX] {
        let mut record = 0;
        received.mark(|| {
            record += 1;
            choice.rotate_left(record) & 1 == 1
        });
        let judgement = received.judge();
        if received.marked() == 0 {
            assert!(!matches!(judgement, Judgement::Decided(_)), "{judgement:?}");
        }
        let mut without_noise = received.clone();
        without_noise.drop_unmarked_denials();
        assert_eq!(without_noise.judge(), judgement);
    }
}
