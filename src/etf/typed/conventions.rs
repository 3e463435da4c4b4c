use crate::etf::DEPTH_MAX;
use crate::etf::Limits;

/// Limits for terms that the program wrote itself or has checked already: only the depth, because of the stack.
pub(super) const OWN: Limits = Limits {
    depth: DEPTH_MAX,
    size: usize::MAX,
    elements: usize::MAX,
    integer: usize::MAX,
};

/// The name of a newtype struct that contains the name of an atom.
pub(super) const ATOM: &str = "$beamway::Atom";

/// The name of a newtype struct that contains a term, encoded without a version byte.
pub(super) const TERM: &str = "$beamway::Term";

/// The prefix of Elixir's module names.
pub(super) const ELIXIR: &str = "Elixir.";

/// The key under which an Elixir struct stores its module.
pub(super) const STRUCT: &str = "__struct__";
