//! What was said, on its way to where it is kept: the spool, and for what is ours its own memory.

use spool::{IncidentNumber, KeepIncidents, SpoolError, Step, Told, Way};

use super::case::Name;
use super::own::Own;

/// What was said and is not written down yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    told: Vec<(IncidentNumber, Told)>,
    noticed: Vec<(Way, Vec<(IncidentNumber, Step)>)>,
}

impl Unwritten {
    /// The log has said this.
    pub(super) fn told(&mut self, own: &mut Own, told: Vec<(Name, Told)>) {
        for (name, told) in told {
            match name {
                Name::Records(numbers) => {
                    self.told.extend(numbers.into_iter().map(|number| (number, told)));
                }
                Name::Own(id) => {
                    if let Some(said) = own.said(&id) {
                        said.told = told;
                    }
                }
            }
        }
    }

    /// People know this on a way.
    pub(super) fn noticed(&mut self, own: &mut Own, way: Way, steps: Vec<(Name, Step)>) {
        let mut recorded = Vec::new();
        for (name, step) in steps {
            match name {
                Name::Records(numbers) => recorded.extend(numbers.into_iter().map(|number| (number, step))),
                Name::Own(id) => {
                    if let Some(said) = own.said(&id) {
                        said.noticed.note(way, step);
                    }
                }
            }
        }
        if !recorded.is_empty() {
            self.noticed.push((way, recorded));
        }
    }

    /// Writes it down. What could not be written stays.
    pub(super) async fn write<S: KeepIncidents>(&mut self, spool: &S) -> Result<(), SpoolError> {
        if !self.told.is_empty() {
            spool.told(self.told.clone()).await?;
            self.told.clear();
        }
        while let Some((way, steps)) = self.noticed.first() {
            spool.noticed(*way, steps.clone()).await?;
            self.noticed.remove(0);
        }
        Ok(())
    }
}
