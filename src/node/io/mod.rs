//! Tasks and connections of a native node.

pub(super) mod circuit;
pub(super) mod connect;
pub(super) mod context;
pub(super) mod node;
pub(super) mod start;
pub(super) mod tcp;
pub(super) mod ways;
