/// What there is with a peer, as those who dial and choose trunks must know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrunkState {
    /// No session.
    #[default]
    Down,
    /// A session whose present trunk the peer has not been heard on yet.
    Fresh,
    /// A session whose trunk works.
    Up,
    /// A session whose trunk is lost, or the peer acknowledges nothing.
    Stalled,
}
