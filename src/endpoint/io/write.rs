//! Writing to the socket of a node.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Buf;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

use crate::codec::Buffers;

/// The maximum number of buffers per system call.
const SLICES: usize = 64;

/// Writes all buffers with as few system calls as the socket allows.
///
/// # Errors
/// If the connection is closed.
pub async fn write_all(stream: &mut OwnedWriteHalf, buffers: Buffers) -> std::io::Result<()> {
    let mut buffers = VecDeque::from(buffers.finish());
    while !buffers.is_empty() {
        let slices: Vec<IoSlice<'_>> = buffers.iter().take(SLICES).map(|buffer| IoSlice::new(buffer)).collect();
        let mut written = stream.write_vectored(&slices).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = buffers.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            buffers.pop_front();
        }
    }
    Ok(())
}
