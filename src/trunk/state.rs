/// The state of the session with a peer and of its trunk, for the code that dials peers and chooses trunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrunkState {
    /// No session.
    #[default]
    Down,
    /// There is a session, but the peer has not sent anything on its current trunk yet.
    Fresh,
    /// There is a session, and its trunk works.
    Up,
    /// There is a session, but its trunk is lost, or the peer acknowledges nothing.
    Stalled,
}
