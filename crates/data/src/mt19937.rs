//! The Mersenne Twister.

const N: usize = 624;
const M: usize = 397;

/// MT19937 (Matsumoto and Nishimura, 1998), seeded as NumPy's `RandomState(seed)` and PyTorch's CPU generator.
#[derive(Clone, Debug)]
pub struct Mt19937 {
    state: [u32; N],
    next: usize,
}

impl Mt19937 {
    /// Creates the generator of a seed.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for index in 1..N {
            let previous = state[index - 1];
            state[index] = (previous ^ (previous >> 30)).wrapping_mul(1_812_433_253).wrapping_add(index as u32);
        }
        Self { state, next: N }
    }

    /// Returns the next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    fn twist(&mut self) {
        for index in 0..N {
            let joined = (self.state[index] & 0x8000_0000) | (self.state[(index + 1) % N] & 0x7fff_ffff);
            let mixed = (joined >> 1) ^ if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[index] = self.state[(index + M) % N] ^ mixed;
        }
        self.next = 0;
    }

    /// Returns a number from 0 to `last` as NumPy's `random_interval`: masked bits, drawn again until they are in
    /// range.
    fn up_to(&mut self, last: u32) -> u32 {
        let mask = u32::MAX.checked_shr(last.leading_zeros()).unwrap_or(0);
        loop {
            let drawn = self.next_u32() & mask;
            if drawn <= last {
                return drawn;
            }
        }
    }

    /// Returns a random one of the items as NumPy's `RandomState.choice`; draws nothing for a single item.
    ///
    /// There is at least one item.
    pub(crate) fn choice(&mut self, items: &[usize]) -> usize {
        match items {
            [item] => *item,
            items => items[self.up_to(items.len() as u32 - 1) as usize],
        }
    }

    /// Shuffles in place, as NumPy's `RandomState.shuffle`. Supports at most 2^32 items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.up_to(index as u32) as usize);
        }
    }

    /// Returns the numbers below `n` in the order of NumPy's `RandomState.permutation`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// Returns the numbers below `n` in the order of PyTorch's `torch.randperm` on the CPU.
    pub fn torch_permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for index in 0..n.saturating_sub(1) {
            let offset = self.next_u32() as usize % (n - index);
            order.swap(index, index + offset);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::Mt19937;

    #[test]
    fn the_ten_thousandth_number_matches_the_c_plus_plus_standard() {
        // C++ standard, [rand.predef]: the 10,000th number with the default seed 5489.
        let mut generator = Mt19937::new(5489);
        let number = (0..10_000).map(|_| generator.next_u32()).last();
        assert_eq!(number, Some(4_123_659_995));
    }
}
