//! Sockets and tasks of a gateway: legs, personas, and the task that answers the port mapper.

mod accept;
pub mod gateway;
mod leg;
mod persona;
