//! A process as its own code sees it: [`Context`](handle::Context) is what it sends and receives with, [`live`] is its
//! life from the first step to its exit reason.

pub(super) mod handle;
mod life;

pub use life::Exit;
pub use life::Outcome;
pub(super) use life::caught;
pub(super) use life::live;
