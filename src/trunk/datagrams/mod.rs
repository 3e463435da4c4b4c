//! The UDP socket of a daemon as quinn wants it, with fewer wake-ups and system calls than quinn's own.

mod driver;

pub(super) use driver::Datagrams;

#[cfg(test)]
mod tests;
