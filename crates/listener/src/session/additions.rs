//! Fields that are added to a header that lacks them, if the settings ask for it.

use jiff::Timestamp;
use mail::{Domain, QueueId};

use super::header::HeaderScanner;
use super::received;

/// What is added: each field whole, with its line ending.
#[derive(Debug)]
pub(super) struct Additions {
    date: String,
    message_id: String,
}

impl Additions {
    /// For a message with this id, received at this time by us.
    pub(super) fn new((id, at): (QueueId, Timestamp), hostname: &Domain) -> Self {
        Self {
            date: received::date(at),
            message_id: format!("{id}@{hostname}"),
        }
    }

    /// The fields that this header lacks.
    pub(super) fn fields(&self, header: &HeaderScanner) -> String {
        let mut fields = String::new();
        if !header.has_date() {
            fields += &format!("Date: {}\r\n", self.date);
        }
        if !header.has_message_id() {
            fields += &format!("Message-ID: <{}>\r\n", self.message_id);
        }
        fields
    }

    /// The message-id, without its brackets, of a message whose own header has none.
    pub(super) fn into_message_id(self) -> String {
        self.message_id
    }
}
