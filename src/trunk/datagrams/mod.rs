//! The UDP socket of a daemon as quinn wants it, with fewer wake-ups and system calls than quinn's own.

mod driver;
mod nowhere;

pub(super) use driver::Datagrams;
pub(super) use nowhere::Nowhere;

#[cfg(test)]
mod tests;
