//! A fuzzer's octets, split into what a target needs.

/// Ends a [text](Input::text): an octet that no UTF-8 has.
const TEXT_END: u8 = 0xFF;

/// The octets that are left. Once they are used up, everything further is zero or empty.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn octet(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// One of several things.
    pub(crate) fn choice<T: Copy>(&mut self, things: &[T]) -> T {
        things[usize::from(self.octet()) % things.len()]
    }

    /// Two octets of length, then that many octets.
    pub(crate) fn block(&mut self) -> &'a [u8] {
        let length = u16::from_be_bytes([self.octet(), self.octet()]);
        self.take(usize::from(length))
    }

    /// Up to 0xFF; what is no UTF-8 becomes U+FFFD.
    pub(crate) fn text(&mut self) -> String {
        let end = self.0.iter().position(|octet| *octet == TEXT_END);
        let text = self.take(end.unwrap_or(self.0.len()));
        self.take(1);
        String::from_utf8_lossy(text).into_owned()
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        self.take(self.0.len())
    }

    fn take(&mut self, octets: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(octets.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Octets in the pieces in which a connection might bring them: two sizes of 1 to 16 in turn, made of one octet.
pub(crate) fn pieces(octets: &[u8], sizes: u8) -> Vec<&[u8]> {
    let sizes = [usize::from(sizes & 15) + 1, usize::from(sizes >> 4) + 1];
    let mut pieces = Vec::new();
    let mut rest = octets;
    for size in sizes.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
