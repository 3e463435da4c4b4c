//! The life of an endpoint, with both interfaces, and the conversion of packets.

mod life;
mod packets;
