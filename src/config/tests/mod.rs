//! `file`: whole files, and each key but those of rules. `policy`: rules for pairs of nodes.

mod file;
mod policy;
