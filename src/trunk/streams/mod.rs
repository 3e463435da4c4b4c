//! The streams of one trunk: a small task for each moves bytes, so a stream that is blocked holds up only itself.

mod driver;

pub(super) use driver::Arrival;
pub(super) use driver::CONTROL_PRIORITY;
pub(super) use driver::Streams;
