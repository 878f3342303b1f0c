//! Reading beside the writer: [`pool`], read-only connections, used outside the runtime's threads; [`recent`], the messages
//! just accepted, so that most deliveries read nothing from the disk.

pub(crate) mod pool;
pub(crate) mod recent;
