use std::fmt;

/// The operation of a signal: the first element of its control term (`erl_dist_protocol`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation(u8);

/// One row for each operation: constant, number, arity, and whether a payload follows.
macro_rules! operations {
    ($($name:ident = $number:literal, $arity:literal, $payload:literal;)*) => {
        impl Operation {
            $(#[doc = concat!("Operation ", $number, ".")] pub const $name: Self = Self($number);)*

            /// The operation with a number; `None` if no node from OTP 25 to 29 sends it.
            pub const fn new(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The number of the operation.
            pub const fn number(self) -> u8 {
                self.0
            }

            /// The arity of the control term, including the operation. ALTACT_SIG_SEND may have more elements.
            pub const fn arity(self) -> u8 {
                match self.0 {
                    $($number => $arity,)*
                    _ => 0,
                }
            }

            /// Whether a payload follows the control term.
            pub const fn has_payload(self) -> bool {
                match self.0 {
                    $($number => $payload,)*
                    _ => false,
                }
            }

            const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "?",
                }
            }
        }
    };
}

operations! {
    LINK = 1, 3, false;
    SEND = 2, 3, true;
    EXIT = 3, 4, false;
    UNLINK = 4, 3, false;
    REG_SEND = 6, 4, true;
    GROUP_LEADER = 7, 3, false;
    EXIT2 = 8, 4, false;
    SEND_TT = 12, 4, true;
    EXIT_TT = 13, 5, false;
    REG_SEND_TT = 16, 5, true;
    EXIT2_TT = 18, 5, false;
    MONITOR_P = 19, 4, false;
    DEMONITOR_P = 20, 4, false;
    MONITOR_P_EXIT = 21, 5, false;
    SEND_SENDER = 22, 3, true;
    SEND_SENDER_TT = 23, 4, true;
    PAYLOAD_EXIT = 24, 3, true;
    PAYLOAD_EXIT_TT = 25, 4, true;
    PAYLOAD_EXIT2 = 26, 3, true;
    PAYLOAD_EXIT2_TT = 27, 4, true;
    PAYLOAD_MONITOR_P_EXIT = 28, 4, true;
    SPAWN_REQUEST = 29, 6, true;
    SPAWN_REQUEST_TT = 30, 7, true;
    SPAWN_REPLY = 31, 5, false;
    SPAWN_REPLY_TT = 32, 6, false;
    ALIAS_SEND = 33, 3, true;
    ALIAS_SEND_TT = 34, 4, true;
    UNLINK_ID = 35, 4, false;
    UNLINK_ID_ACK = 36, 4, false;
    ALTACT_SIG_SEND = 37, 4, true;
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}
