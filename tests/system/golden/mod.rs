//! What a real OTP 25 node wrote: packets are read as what it meant, terms as the terms they are.
//!
//! * [`packets`](self::packets): operation, sender and destination of each packet, and what it tells about aliases.
//! * [`terms`](self::terms): terms are read, printed and written as Erlang does.
//! * [`fixture`](self::fixture), [`samples`](self::samples): the files of this folder, read.

mod fixture;
mod packets;
mod samples;
mod terms;
