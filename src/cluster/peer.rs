/// A configured peer, which is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPeer {
    /// Its name; its certificate must carry it.
    pub name: String,
    /// `host:port`, resolved at each attempt.
    pub address: String,
}
