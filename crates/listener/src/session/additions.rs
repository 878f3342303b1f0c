//! Fields that are added to a header that lacks them, if the settings ask for it.

use mail::Domain;
use mail::words::header_date;

use super::header::HeaderScanner;
use super::stamp::Stamp;

/// What is added: each field whole, with its line ending.
#[derive(Debug)]
pub(super) struct Additions {
    date: String,
    message_id: String,
}

impl Additions {
    pub(super) fn new(stamp: Stamp, hostname: &Domain) -> Self {
        Self {
            date: header_date(stamp.at),
            message_id: format!("{}@{hostname}", stamp.id),
        }
    }

    /// The fields that this header lacks.
    pub(super) fn fields(&self, header: &HeaderScanner) -> String {
        let date = (!header.has_date()).then(|| format!("Date: {}\r\n", self.date));
        let message_id = (!header.has_message_id()).then(|| format!("Message-ID: <{}>\r\n", self.message_id));
        date.into_iter().chain(message_id).collect()
    }

    /// The message-id, without its brackets, of a message whose own header has none.
    pub(super) fn into_message_id(self) -> String {
        self.message_id
    }
}
