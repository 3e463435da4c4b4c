use std::fmt;

/// An integer outside the range of `i64`. Integers within it are [`Term::Integer`](super::Term::Integer).
///
/// ```
/// use beamway::etf::{Big, Term};
///
/// let big = Term::from(u64::MAX);
/// assert_eq!(big.to_string(), "18446744073709551615");
/// assert_eq!(u64::try_from(&big), Ok(u64::MAX));
/// assert!(Big::new(false, &[7]).is_none(), "small integers have one form only");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Big {
    is_negative: bool,
    /// Little-endian, without trailing zeros.
    magnitude: Box<[u8]>,
}

impl Big {
    /// Creates the integer with this sign and magnitude (little-endian); `None` if it fits `i64`.
    pub fn new(is_negative: bool, magnitude: &[u8]) -> Option<Self> {
        let magnitude = trim(magnitude);
        if small(is_negative, magnitude).is_some() {
            return None;
        }
        Some(Self {
            is_negative,
            magnitude: magnitude.into(),
        })
    }

    /// Whether it is negative.
    pub const fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// Its absolute value, little-endian, without trailing zeros.
    pub const fn magnitude(&self) -> &[u8] {
        &self.magnitude
    }

    /// The value, if it fits `i128`.
    pub fn to_i128(&self) -> Option<i128> {
        let magnitude = self.to_u128_magnitude()?;
        if self.is_negative {
            0i128.checked_sub_unsigned(magnitude)
        } else {
            magnitude.try_into().ok()
        }
    }

    /// The value, if it fits `u128`.
    pub fn to_u128(&self) -> Option<u128> {
        (!self.is_negative).then(|| self.to_u128_magnitude())?
    }

    fn to_u128_magnitude(&self) -> Option<u128> {
        let mut bytes = [0; 16];
        bytes.get_mut(..self.magnitude.len())?.copy_from_slice(&self.magnitude);
        Some(u128::from_le_bytes(bytes))
    }
}

/// Removes trailing zeros from a little-endian `magnitude`.
pub(super) fn trim(magnitude: &[u8]) -> &[u8] {
    let zeros = magnitude.iter().rev().take_while(|byte| **byte == 0).count();
    magnitude.get(..magnitude.len() - zeros).unwrap_or_default()
}

/// The value of a sign and a magnitude (little-endian), if it fits `i64`.
pub(super) fn small(is_negative: bool, magnitude: &[u8]) -> Option<i64> {
    let magnitude = trim(magnitude);
    let mut bytes = [0; 8];
    bytes.get_mut(..magnitude.len())?.copy_from_slice(magnitude);
    let magnitude = u64::from_le_bytes(bytes);
    if is_negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        magnitude.try_into().ok()
    }
}

impl fmt::Display for Big {
    /// Formats the integer in decimal. The time is quadratic in its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GROUP: u64 = 1_000_000_000;
        let mut limbs: Vec<u32> = self
            .magnitude
            .chunks(4)
            .map(|chunk| chunk.iter().rev().fold(0, |limb, byte| limb << 8 | u32::from(*byte)))
            .collect();
        let mut groups = Vec::with_capacity(limbs.len() * 10 / 9 + 1);
        while !limbs.is_empty() {
            let mut rest = 0;
            for limb in limbs.iter_mut().rev() {
                let value = rest << 32 | u64::from(*limb);
                *limb = (value / GROUP) as u32;
                rest = value % GROUP;
            }
            groups.push(rest);
            while limbs.last() == Some(&0) {
                limbs.pop();
            }
        }
        if self.is_negative {
            f.write_str("-")?;
        }
        let mut groups = groups.iter().rev();
        write!(f, "{}", groups.next().unwrap_or(&0))?;
        groups.try_for_each(|group| write!(f, "{group:09}"))
    }
}

impl fmt::Debug for Big {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The magnitude (little-endian) of digits in a base from 2 to 36; `None` if it needs more than `bytes_max` bytes.
///
/// The digits must be valid in that base.
pub(super) fn from_digits(digits: impl Iterator<Item = u32>, base: u32, bytes_max: usize) -> Option<Vec<u8>> {
    let mut limbs: Vec<u32> = Vec::new();
    let (mut factor, mut group) = (1u32, 0u32);
    let mut push = |factor: u32, group: u32| {
        let mut carry = group;
        for limb in &mut limbs {
            let value = u64::from(*limb) * u64::from(factor) + u64::from(carry);
            *limb = value as u32;
            carry = (value >> 32) as u32;
        }
        if carry > 0 {
            limbs.push(carry);
        }
        (limbs.len() * 4 <= bytes_max.saturating_add(4)).then_some(())
    };
    for digit in digits {
        match factor.checked_mul(base) {
            Some(product) => (factor, group) = (product, group * base + digit),
            None => {
                push(factor, group)?;
                (factor, group) = (base, digit);
            }
        }
    }
    push(factor, group)?;
    let bytes: Vec<u8> = limbs.into_iter().flat_map(u32::to_le_bytes).collect();
    (trim(&bytes).len() <= bytes_max).then_some(bytes)
}
