use crate::etf::DEPTH_MAX;
use crate::etf::Limits;

/// What a program writes itself, or has checked already, is held to nothing but the stack.
pub(super) const OWN: Limits = Limits {
    depth: DEPTH_MAX,
    size: usize::MAX,
    elements: usize::MAX,
    integer: usize::MAX,
};

/// A newtype struct of this name holds the name of an atom.
pub(super) const ATOM: &str = "$beamway::Atom";

/// A newtype struct of this name holds a term, encoded without version byte.
pub(super) const TERM: &str = "$beamway::Term";

/// What the names of Elixir's modules begin with.
pub(super) const ELIXIR: &str = "Elixir.";

/// The key under which an Elixir struct holds its module.
pub(super) const STRUCT: &str = "__struct__";
