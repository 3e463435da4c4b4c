/// A peer that is dialled.
#[derive(Clone, Debug)]
pub struct StaticPeer {
    /// Its name; its certificate must carry it.
    pub name: String,
    /// `host:port`, resolved for each attempt.
    pub address: String,
}
