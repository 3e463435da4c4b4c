//! An endpoint's life, both faces of it, and what packets mean.

mod life;
mod packets;
