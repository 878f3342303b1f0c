//! A private signed DNS tree and receiving servers with every fault, in process.
