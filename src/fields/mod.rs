//! Rank 0: values of log lines that are more than one text or number.

mod list;

pub use list::Item;
pub use list::List;
