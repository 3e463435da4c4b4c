use super::hosts::Host;

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// Full name, as `a@127.0.0.1`. A host part without a dot makes it a short name.
    pub name: String,
    /// What the child is called in messages.
    pub label: String,
    /// Port of the port mapper, on 127.0.0.1.
    pub epmd: u16,
    /// Further arguments of the program.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub host: Host,
}
