//! What frames carry, as the packets of a connection to a node.

mod driver;
mod message;

pub use driver::write_all;
pub use message::content;
pub use message::encode;
