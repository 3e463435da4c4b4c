//! temporary
mod control;
pub use control::Lesson;
pub use control::Sender;
