use crate::etf::Pid;
use crate::etf::Reference;
/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// a process
    Process(Pid),
    /// unknown
    Unknown,
    /// node
    Service,
}
/// lesson
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// learn
    Learn {
        /// o
        owner: Pid,
        /// a
        alias: Reference,
    },
    /// forget
    Forget(Reference),
}
