//! The SMTP server side: who may relay, and into the spool.
