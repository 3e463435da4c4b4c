/// SplitMix64: one seed, one sequence, on every machine and in every version of every library.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The sequence of a seed for one `purpose`: what one part of a run draws does not move what another part draws.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed = Self(seed);
        let seed = mixed.next() ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of 0 … `bound` − 1.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Of `least` … `most`.
    pub(super) const fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(super) const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// True so many times in ten thousand.
    pub(super) const fn permyriad(&mut self, times: u32) -> bool {
        times > 0 && self.below(10_000) < times as u64
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        let index = self.below(of.len().max(1) as u64) as usize;
        of.get(index).copied().unwrap_or(otherwise)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}
