use std::ops::AddAssign;

use rustc_hash::FxHashMap;

use crate::dist::Lesson;
use crate::etf::Pid;
use crate::etf::Reference;

/// Maps aliases of the remote node to the processes that own them, as far as an outsider can know.
///
/// From OTP 26 on, an alias of five words contains its owner's pid in the VM's internal form, which depends on the size
/// of the process table (`erl_bif_unique.h`, `erl_ptab.h`). The node does not announce that size. Each (pid, reference)
/// pair that passes rules out some sizes, and an alias is resolved only if all remaining sizes give the same owner.
/// Aliases of earlier releases are opaque, so their pairs are stored.
#[derive(Debug)]
pub struct Aliases {
    /// Bit b represents a process table of 2^b entries.
    sizes: u32,
    samples: u64,
    learned: FxHashMap<Reference, Pid>,
    stats: AliasStats,
}

/// Counters of aliases that signals were addressed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AliasStats {
    /// The owner was known.
    pub resolved: u64,
    /// The owner was unknown: the signal was sent as an ambiguous one.
    pub ambiguous: u64,
}

impl AddAssign for AliasStats {
    fn add_assign(&mut self, other: Self) {
        self.resolved += other.resolved;
        self.ambiguous += other.ambiguous;
    }
}

/// `erl +P` allows 2^10 to 2^27 processes.
const SIZES: std::ops::RangeInclusive<u32> = 10..=27;

/// The maximum number of pairs stored for nodes with opaque aliases. Further aliases are ambiguous, which is slower but
/// correct.
const LEARNED_MAX: usize = 1 << 16;

/// The low bits of a process number are rotated left by log2 of the number of pointers in a cache line (`erl_ptab.h`).
const ROTATION: u32 = 3;

/// The tag of a pid in the low four bits of the internal word.
const PID_TAG: u32 = 3;

impl Default for Aliases {
    fn default() -> Self {
        Self {
            sizes: SIZES.fold(0, |sizes, size| sizes | 1 << size),
            samples: 0,
            learned: FxHashMap::default(),
            stats: AliasStats::default(),
        }
    }
}

impl Aliases {
    /// Processes what a signal from the remote node says about an alias.
    pub fn learn(&mut self, lesson: Lesson) {
        match lesson {
            Lesson::Learn { owner, alias } => self.learn_pair(owner, alias),
            Lesson::Forget(alias) => {
                self.learned.remove(&alias);
            }
        }
    }

    fn learn_pair(&mut self, owner: Pid, alias: Reference) {
        if let Some(word) = internal_word(&alias) {
            self.samples += 1;
            self.sizes = match number_of(&owner) {
                Some(number) if owner.creation == alias.creation => candidates(self.sizes)
                    .filter(|size| rotated(number, *size) == word)
                    .fold(0, |sizes, size| sizes | 1 << size),
                _ => 0,
            };
        } else if self.learned.len() < LEARNED_MAX {
            self.learned.insert(alias, owner);
        }
    }

    /// The owner of an alias; `None` if it is not certain.
    pub fn resolve(&mut self, alias: &Reference) -> Option<Pid> {
        let owner = self.owner(alias);
        match owner {
            Some(_) => self.stats.resolved += 1,
            None => self.stats.ambiguous += 1,
        }
        owner
    }

    fn owner(&self, alias: &Reference) -> Option<Pid> {
        let Some(word) = internal_word(alias) else {
            return self.learned.get(alias).copied();
        };
        if self.samples == 0 {
            return None;
        }
        let mut numbers = candidates(self.sizes).map(|size| unrotated(word, size));
        let number = numbers.next()?;
        numbers.all(|other| other == number).then_some(Pid {
            id: (number & 0x0fff_ffff) as u32,
            serial: (number >> 28) as u32,
            creation: alias.creation,
        })
    }

    /// Counters of the aliases resolved so far.
    pub const fn stats(&self) -> AliasStats {
        self.stats
    }
}

fn candidates(sizes: u32) -> impl Iterator<Item = u32> {
    SIZES.filter(move |size| sizes & 1 << size != 0)
}

/// The process number of a pid as one integer; `None` if its id has more than 28 bits.
const fn number_of(pid: &Pid) -> Option<u64> {
    if pid.id >> 28 == 0 {
        Some((pid.serial as u64) << 28 | pid.id as u64)
    } else {
        None
    }
}

/// The owner's process number in the VM's internal form, if the alias contains one.
fn internal_word(alias: &Reference) -> Option<u64> {
    let &[_, _, _, low, high] = alias.words() else {
        return None;
    };
    (low & 0xf == PID_TAG).then_some(u64::from(high) << 28 | u64::from(low >> 4))
}

/// The VM's internal form of a process number, for a process table of 2^`size` entries.
const fn rotated(number: u64, size: u32) -> u64 {
    let mask = (1u64 << size) - 1;
    let low = number & mask;
    (number & !mask) | ((low << ROTATION | low >> (size - ROTATION)) & mask)
}

/// The inverse of [`rotated`].
const fn unrotated(word: u64, size: u32) -> u64 {
    let mask = (1u64 << size) - 1;
    let low = word & mask;
    (word & !mask) | ((low >> ROTATION | low << (size - ROTATION)) & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(id: u32) -> Pid {
        Pid {
            id,
            serial: 0,
            creation: 7,
        }
    }

    /// An alias of OTP 26 or later, for a process table of 2^`size` entries.
    fn alias_of(pid: Pid, size: u32) -> Reference {
        let word = rotated(number_of(&pid).unwrap(), size);
        let low = ((word & 0x0fff_ffff) as u32) << 4 | PID_TAG;
        Reference::new(7, &[1, 1 << 16, 9, low, (word >> 28) as u32]).unwrap()
    }

    #[test]
    fn the_rotation_of_the_reference_is_reproduced() {
        assert_eq!(rotated(0x49439, 20), 0x4a1ca);
        assert_eq!(unrotated(0x4a1ca, 20), 0x49439);
    }

    #[test]
    fn nothing_is_resolved_before_a_sample() {
        assert_eq!(Aliases::default().resolve(&alias_of(pid(100), 20)), None);
    }

    #[test]
    fn samples_rule_sizes_out_until_all_agree() {
        for size in SIZES {
            let mut aliases = Aliases::default();
            for id in [100, (1 << size) - 1, 5 << (size - 5)] {
                aliases.learn(Lesson::Learn {
                    owner: pid(id),
                    alias: alias_of(pid(id), size),
                });
            }
            for id in 0..10_000 {
                let id = (id * 7919) & 0x0fff_ffff;
                let found = aliases.resolve(&alias_of(pid(id), size));
                assert_eq!(found, Some(pid(id)), "size 2^{size}, id {id}");
            }
        }
    }

    #[test]
    fn an_answer_is_given_only_when_the_sizes_left_agree() {
        let mut aliases = Aliases::default();
        // A small id looks the same for every size, so it rules out none …
        aliases.learn(Lesson::Learn {
            owner: pid(100),
            alias: alias_of(pid(100), 18),
        });
        // … and a large one differs between the remaining sizes.
        assert_eq!(aliases.resolve(&alias_of(pid(0x3_ffff), 18)), None);
        assert_eq!(aliases.resolve(&alias_of(pid(101), 18)), Some(pid(101)));
    }

    #[test]
    fn a_mismatch_falls_back_for_good() {
        let mut aliases = Aliases::default();
        aliases.learn(Lesson::Learn {
            owner: pid(100),
            alias: alias_of(pid(77), 20),
        });
        aliases.learn(Lesson::Learn {
            owner: pid(100),
            alias: alias_of(pid(100), 20),
        });
        assert_eq!(aliases.resolve(&alias_of(pid(100), 20)), None);
        assert_eq!(
            aliases.stats(),
            AliasStats {
                resolved: 0,
                ambiguous: 1
            }
        );
    }

    #[test]
    fn opaque_aliases_are_remembered_until_forgotten() {
        let mut aliases = Aliases::default();
        let alias = Reference::new(7, &[1, 1 << 16, 3]).unwrap();
        aliases.learn(Lesson::Learn { owner: pid(5), alias });
        assert_eq!(aliases.resolve(&alias), Some(pid(5)));
        aliases.learn(Lesson::Forget(alias));
        assert_eq!(aliases.resolve(&alias), None);
    }
}
