/// Whether the two nodes of a circuit are silent.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// The local node is.
    pub(super) is_here: bool,
    /// What the peer was told of the local node.
    told: bool,
    /// The peer may not have received that yet.
    is_underway: bool,
    /// The far node is, as the peer says.
    pub(super) is_there: bool,
}

impl Quiet {
    /// What the peer should be told now. It has received what it was told before, so a node that falls silent and speaks again and
    /// again makes one notice a round trip, and one while there is no trunk.
    pub(super) fn poll_news(&mut self) -> Option<bool> {
        if self.is_underway || self.told == self.is_here {
            return None;
        }
        self.told = self.is_here;
        self.is_underway = true;
        Some(self.told)
    }

    /// The peer has received what it was told.
    pub(super) const fn received(&mut self) {
        self.is_underway = false;
    }
}
