//! Looking for news instead of sleeping, for a moment after something small came: an answer follows a question soon, and a
//! core that sleeps takes longer to wake than the answer takes to come.

mod driver;

pub use driver::BusyWait;
