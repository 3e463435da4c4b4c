use std::fmt;
use std::ops::BitAnd;
use std::ops::BitOr;

/// The capabilities of a node: the flags of the distribution handshake (`erts/emulator/beam/dist.h`).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(u64);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, stringify!($name)),)*];
        }
    };
}

flags! {
    /// The node is visible, not hidden. Passed on unchanged.
    PUBLISHED = 0;
    /// References of more than one word.
    EXTENDED_REFERENCES = 2;
    /// Monitors of processes.
    DIST_MONITOR = 3;
    /// Funs as a type of their own.
    FUN_TAGS = 4;
    /// Monitors of registered names.
    DIST_MONITOR_NAME = 5;
    /// Funs with module and hash.
    NEW_FUN_TAGS = 7;
    /// Pids and ports with more bits.
    EXTENDED_PIDS_PORTS = 8;
    /// External funs.
    EXPORT_PTR_TAG = 9;
    /// Bit strings.
    BIT_BINARIES = 10;
    /// Floats in eight bytes.
    NEW_FLOATS = 11;
    /// Characters beyond Latin-1 in I/O.
    UNICODE_IO = 12;
    /// An atom cache in the header of each packet. Never offered, since it makes each packet depend on all earlier
    /// ones.
    DIST_HDR_ATOM_CACHE = 13;
    /// Short atoms.
    SMALL_ATOM_TAGS = 14;
    /// Atoms in UTF-8.
    UTF8_ATOMS = 16;
    /// Maps.
    MAP_TAG = 17;
    /// Creations of 32 bits.
    BIG_CREATION = 18;
    /// Messages that carry the pid of their sender.
    SEND_SENDER = 19;
    /// Any term as a trace label.
    BIG_SEQTRACE_LABELS = 20;
    /// Exit reasons as payload.
    EXIT_PAYLOAD = 22;
    /// Messages over 64 KiB in fragments.
    FRAGMENTS = 23;
    /// The handshake of OTP 23.
    HANDSHAKE_23 = 24;
    /// Unlink with an id and an acknowledgement.
    UNLINK_ID = 25;
    /// Represents all flags that OTP 25 requires.
    MANDATORY_25_DIGEST = 26;
    /// Spawn requests.
    SPAWN = 32;
    /// A request for a name, not a capability.
    NAME_ME = 33;
    /// Pids, ports and references of full width.
    V4_NC = 34;
    /// Messages to aliases.
    ALIAS = 35;
    /// Priority messages, and messages to aliases in the same form (OTP 28).
    ALTACT_SIG = 37;
    /// Native records (OTP 29).
    NATIVE_RECORDS = 38;
}

impl Flags {
    /// The flags that OTP 25 requires of a peer, which MANDATORY_25_DIGEST represents.
    pub const MANDATORY_25: Self = Self(
        Self::EXTENDED_REFERENCES.0
            | Self::FUN_TAGS.0
            | Self::NEW_FUN_TAGS.0
            | Self::EXTENDED_PIDS_PORTS.0
            | Self::EXPORT_PTR_TAG.0
            | Self::BIT_BINARIES.0
            | Self::NEW_FLOATS.0
            | Self::UTF8_ATOMS.0
            | Self::MAP_TAG.0
            | Self::BIG_CREATION.0
            | Self::HANDSHAKE_23.0,
    );

    /// The flags that beamway supports. Unknown flags are never passed on, because a later OTP release may use them for
    /// new operations.
    pub const KNOWN: Self = Self(
        Self::MANDATORY_25.0
            | Self::PUBLISHED.0
            | Self::DIST_MONITOR.0
            | Self::DIST_MONITOR_NAME.0
            | Self::UNICODE_IO.0
            | Self::SMALL_ATOM_TAGS.0
            | Self::SEND_SENDER.0
            | Self::BIG_SEQTRACE_LABELS.0
            | Self::EXIT_PAYLOAD.0
            | Self::FRAGMENTS.0
            | Self::UNLINK_ID.0
            | Self::MANDATORY_25_DIGEST.0
            | Self::SPAWN.0
            | Self::NAME_ME.0
            | Self::V4_NC.0
            | Self::ALIAS.0
            | Self::ALTACT_SIG.0
            | Self::NATIVE_RECORDS.0,
    );

    /// Creates flags from a 64-bit field.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the 64-bit field.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds the flags of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Removes the flags of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Replaces MANDATORY_25_DIGEST by the flags it represents.
    pub fn expanded(self) -> Self {
        if self.contains(Self::MANDATORY_25_DIGEST) {
            self | Self::MANDATORY_25
        } else {
            self
        }
    }

    /// The flags of a node that are passed on: those that beamway knows, in safe combinations.
    ///
    /// Fragments require exit reasons as payload, since otherwise a control term could exceed its fragment. OTP 28
    /// drops messages to aliases if ALTACT_SIG is offered without ALIAS.
    pub fn offered(self) -> Self {
        let mut flags = self & Self::KNOWN;
        if !flags.contains(Self::EXIT_PAYLOAD) {
            flags = flags.without(Self::FRAGMENTS);
        }
        if !flags.contains(Self::ALIAS) {
            flags = flags.without(Self::ALTACT_SIG);
        }
        flags
    }

    /// The flags that apply to a connection between two nodes.
    pub fn in_force(self, other: Self) -> Self {
        self.expanded() & other.expanded()
    }
}

impl BitAnd for Flags {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
            write!(f, "{separator}{name}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} ({self})", self.0)
    }
}
