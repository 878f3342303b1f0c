//! A simple mutator, for compilers without a fuzzer. It sees no coverage, but it always comes along.

/// Tokens that matter to the grammars under test.
const TOKENS: [&[u8]; 30] = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\r\n.\r\n",
    b"..",
    b".",
    b"\0",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"@",
    b"[",
    b"]",
    b"=",
    b", ",
    b"#",
    b";",
    b"xn--",
    b"\xFF",
    b"\xFF\xFF",
    b"\xC3\xA9",
    b"\xE2\x80\xAE",
    b"\xD8\x9C",
    b"550-",
    b"250 ",
    b"IPv6:",
    b"[[domain]]\n",
    b"\x30\x82",
    b"    ",
];
/// The longest input that is made.
const LENGTH: usize = 4096;

/// A source of numbers that are the same on every run (xorshift64*).
pub struct Chance(u64);

impl Chance {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(number).unwrap().checked_rem(limit).unwrap_or(0)
    }
}

/// An input made of one of the corpus by a few changes.
pub fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut octets = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(5) {
        change(&mut octets, corpus, chance);
        octets.truncate(LENGTH);
    }
    octets
}

fn change(octets: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(octets.len() + 1);
    let end = (at + chance.below(32)).min(octets.len());
    match chance.below(7) {
        0 => {
            if let Some(octet) = octets.get_mut(at) {
                *octet ^= 1 << chance.below(8);
            }
        }
        1 => {
            if let Some(octet) = octets.get_mut(at) {
                *octet = u8::try_from(chance.below(256)).unwrap();
            }
        }
        2 => {
            octets.drain(at..end);
        }
        3 => {
            let token = TOKENS[chance.below(TOKENS.len())];
            octets.splice(at..at, token.iter().copied());
        }
        4 => {
            let piece = octets[at..end].to_vec();
            let times = 1 + chance.below(100);
            octets.splice(at..at, piece.repeat(times));
        }
        5 => {
            let other = &corpus[chance.below(corpus.len())];
            let from = chance.below(other.len() + 1);
            octets.truncate(at);
            octets.extend_from_slice(&other[from..]);
        }
        _ => octets.truncate(at),
    }
}
