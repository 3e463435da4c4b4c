use std::fmt;
use std::ops::BitAnd;
use std::ops::BitOr;

/// What a node can do: the flags of the distribution handshake (`erts/emulator/beam/dist.h`, protocol reference §4).
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
    /// Visible rather than hidden: passed through.
    PUBLISHED = 0;
    /// References of more than one word.
    EXTENDED_REFERENCES = 2;
    /// Monitors of processes.
    DIST_MONITOR = 3;
    /// Funs as terms of their own.
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
    /// A cache of atoms in the header of each packet: never offered, since it ties the order of all packets.
    DIST_HDR_ATOM_CACHE = 13;
    /// Short atoms.
    SMALL_ATOM_TAGS = 14;
    /// Atoms in UTF-8.
    UTF8_ATOMS = 16;
    /// Maps.
    MAP_TAG = 17;
    /// Creations of 32 bits.
    BIG_CREATION = 18;
    /// Messages name their sender.
    SEND_SENDER = 19;
    /// Any term as label of a trace.
    BIG_SEQTRACE_LABELS = 20;
    /// Exit reasons as payload.
    EXIT_PAYLOAD = 22;
    /// Messages over 64 KiB in fragments.
    FRAGMENTS = 23;
    /// The handshake of OTP 23.
    HANDSHAKE_23 = 24;
    /// Unlink with an id and an acknowledgement.
    UNLINK_ID = 25;
    /// Stands for all flags that OTP 25 demands.
    MANDATORY_25_DIGEST = 26;
    /// Spawn requests.
    SPAWN = 32;
    /// "Give me a name": a request, not a capability.
    NAME_ME = 33;
    /// Pids, ports and references of full width.
    V4_NC = 34;
    /// Messages to aliases.
    ALIAS = 35;
    /// Priority messages, and aliases in their form (OTP 28).
    ALTACT_SIG = 37;
    /// Native records (OTP 29).
    NATIVE_RECORDS = 38;
}

impl Flags {
    /// What OTP 25 demands of a peer, as MANDATORY_25_DIGEST stands for it.
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

    /// What beamway understands. Bits it does not know are never passed on: a later OTP may give them operations.
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

    /// The flags of a 64-bit field.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The 64-bit field.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All of these but `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// With MANDATORY_25_DIGEST spelt out.
    pub fn expanded(self) -> Self {
        if self.contains(Self::MANDATORY_25_DIGEST) {
            self | Self::MANDATORY_25
        } else {
            self
        }
    }

    /// What is passed on of a node's flags: those that beamway knows, in combinations that do no harm.
    ///
    /// Fragments need exit reasons as payload, else a control term could exceed its fragment (protocol reference §6.4);
    /// OTP 28 drops messages to aliases when ALTACT_SIG is offered without ALIAS (§4).
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

    /// What holds on a connection between two nodes.
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
