//! Damaged safetensors: the length of the header, the header, the values.

use super::Mutator;

impl Mutator {
    /// Returns a damaged file.
    pub fn damage_safetensors(&mut self, whole: &[u8]) -> Vec<u8> {
        let (length, rest) = whole.split_first_chunk().expect("a length");
        let (header, body) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let (header, body) = match self.below(8) {
            0 => return self.damage(whole),
            1 => return [&self.damage(length)[..], rest].concat(),
            2 => (header.to_vec(), self.damage(body)),
            3 | 4 => (self.damage(header), body.to_vec()),
            _ => (self.damage_json(&serde_json::from_slice(header).expect("JSON")), body.to_vec()),
        };
        [&(header.len() as u64).to_le_bytes()[..], &header, &body].concat()
    }
}
