//! What the delivery side told, as text.

use parking_lot::Mutex;
use std::collections::HashMap;

use mail::event::Record as _;
use mail::record::Value;
use mail::{Event, EventLog, QueueId};

/// Collects events.
#[derive(Default)]
pub struct Log(Mutex<Vec<Event>>);

impl EventLog for Log {
    fn write(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

impl Log {
    /// All events of this name so far.
    pub fn events(&self, name: &str) -> Vec<Line> {
        let events = self.0.lock();
        events
            .iter()
            .filter(|event| event.name() == name)
            .map(fields)
            .collect()
    }

    /// The delivery lines about a message so far.
    pub fn about(&self, id: QueueId) -> Vec<Line> {
        let id = id.to_string();
        let mut lines = self.events("delivery");
        lines.retain(|line| line.get("id") == Some(&id));
        lines
    }
}

/// One delivery line, by field, as text.
pub type Line = HashMap<&'static str, String>;

fn fields(event: &Event) -> Line {
    let mut line = Line::new();
    event.fields(&mut |key, value| {
        let text = match value {
            Value::Absent => "-".to_owned(),
            Value::Word(text) | Value::Quoted(text) | Value::Address(text) | Value::Path(text) => {
                text.to_owned()
            }
            Value::Integer(number) => number.to_string(),
            Value::Seconds(time) | Value::Milliseconds(time) => time.as_secs_f64().to_string(),
            Value::Stages(stages) => format!("{stages:?}"),
        };
        line.insert(key, text);
    });
    line
}
