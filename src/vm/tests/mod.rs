//! What a VM sends, and what it gets.

mod incoming;
mod outgoing;
mod support;
