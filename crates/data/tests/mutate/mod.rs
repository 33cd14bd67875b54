//! Generates damaged inputs from valid ones, and checks how readers handle them.
//!
//! A case is a number: the same number gives the same input on every machine. Tests of other crates include this module
//! by its path, and have `allocation-counter` as a development dependency.
#![allow(dead_code)]

mod json;
mod safetensors;

use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The memory that reading one input may take in addition to what was in use before, in bytes. The inputs have some
/// kilobytes.
const MEMORY: u64 = 32 << 20;
/// The time after which an input counts as a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// Replacements for numbers.
const NUMBERS: [&[u8]; 20] = [
    b"0",
    b"-1",
    b"1",
    b"2",
    b"255",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"1000000000",
    b"1152921504606846976",
    b"9223372036854775807",
    b"18446744073709551615",
    b"18446744073709551616",
    b"1e400",
    b"1e-400",
    b"0.5",
    b"null",
    b"[]",
    b"\"\"",
];
/// Structural characters.
const MARKS: [&[u8]; 24] = [
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xf0\x9f\x8e\x89",
    b"\\u0000",
    b"\\ud800",
    b"\"\"",
    b"../",
    b"PAR1",
];
/// Bytes at the ends of ranges.
const BYTES: [u8; 10] = [0, 1, 2, 0x0f, 0x10, 0x7e, 0x7f, 0x80, 0xfe, 0xff];
/// Absurd lengths and offsets.
const WORDS: [u64; 8] = [0, 1, 1 << 31, u32::MAX as u64, 1 << 40, 1 << 60, u64::MAX / 2, u64::MAX];

/// A small generator of damage.
pub struct Mutator(u64);

impl Mutator {
    pub fn new(case: u64) -> Self {
        Self(case)
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns an input with one to five changes.
    pub fn damage(&mut self, whole: &[u8]) -> Vec<u8> {
        let mut input = whole.to_vec();
        for _ in 0..1 + self.below(3) * self.below(3) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        match self.below(12) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = *self.pick(&BYTES),
            2 => input.truncate(at),
            3 => {
                let part = self.part(input, 64);
                let part = input[part].to_vec();
                input.splice(at..at, part);
            }
            4 => {
                let part = self.part(input, 16);
                input.drain(part);
            }
            5 => {
                let part = self.part(input, 64);
                let part = input[part].to_vec();
                let end = (at + part.len()).min(input.len());
                input.splice(at..end, part);
            }
            6 | 7 => {
                let mark = *self.pick(&MARKS);
                let over = self.below(2) * usize::from(at < input.len());
                input.splice(at..at + over, mark.iter().copied());
            }
            8 | 9 => self.renumber(input),
            10 => {
                let (word, width) = (self.pick(&WORDS).to_le_bytes(), *self.pick(&[2, 4, 8]));
                let end = (at + width).min(input.len());
                input[at..end].copy_from_slice(&word[..end - at]);
            }
            _ => {
                let (mark, times) = (*self.pick(&MARKS), 1 << self.below(12));
                input.splice(at..at, mark.repeat(times));
            }
        }
    }

    /// Returns a random range of an input.
    fn part(&mut self, input: &[u8], most: usize) -> std::ops::Range<usize> {
        let start = self.below(input.len());
        start..(start + 1 + self.below(most)).min(input.len())
    }

    /// Replaces a number that is written in digits.
    fn renumber(&mut self, input: &mut Vec<u8>) {
        let from = self.below(input.len());
        let Some(start) = (from..input.len()).find(|&index| input[index].is_ascii_digit()) else { return };
        let start = start - input[..start].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let end = (start..input.len()).find(|&index| !b"0123456789.e+-".contains(&input[index]));
        let number = *self.pick(&NUMBERS);
        input.splice(start..end.unwrap_or(input.len()), number.iter().copied());
    }
}

/// The outcomes of all inputs.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The number of inputs that were accepted.
    pub read: u64,
    /// The number of inputs that were refused with an error.
    pub refused: u64,
    /// The peak memory of one input, in bytes, as allocated by the thread that reads it. Other tests run beside it.
    pub memory: u64,
    /// The longest time of one input.
    pub time: Duration,
}

thread_local! {
    /// The place and message of the last panic on this thread, while an input is examined.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the message of a panic for the thread that examines an input. On other threads panics are printed as usual.
fn keep_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANIC.with_borrow_mut(|message| match message {
                Some(message) => *message = panic.to_string(),
                None => print(panic),
            });
        }));
    });
}

/// Writes a new file in the place of an old one. Some file systems (ext4) flush a file that is truncated and rewritten to
/// disk; with thousands of files this takes longer than everything else.
pub fn overwrite(path: &Path, bytes: impl AsRef<[u8]>) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).expect("written");
}

/// Returns how many of the inputs of a test are tried: a quarter, which keeps `cargo test` quick, or all of them if the variable
/// `REKINDLE_ALL_INPUTS` is set, as `cargo xtask ci` does.
pub fn tried(inputs: u64) -> u64 {
    if std::env::var_os("REKINDLE_ALL_INPUTS").is_some() { inputs } else { inputs / 4 }
}

/// Calls `read` with `cases` inputs. `read` returns the error message if it refuses an input. Checks that no input
/// causes a panic, a hang or unbounded memory, and that each message contains one of each list in `places`.
///
/// # Panics
/// Panics with the case's number if a check fails.
pub fn survive(name: &str, cases: u64, places: &[&[&str]], mut read: impl FnMut(u64) -> Result<(), String>) -> Outcome {
    keep_panics();
    let (current, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut outcome = Outcome::default();
    let fault = thread::scope(|scope| {
        scope.spawn(|| watch(name, &current, &done));
        let fault = (0..cases).find_map(|case| {
            current.store(case, Relaxed);
            examine(places, &mut outcome, || read(case)).err().map(|fault| format!("{name}, case {case}: {fault}"))
        });
        done.store(true, Relaxed);
        fault
    });
    if let Some(fault) = fault {
        panic!("{fault}");
    }
    println!("{name}: {cases} cases, {outcome:?}");
    outcome
}

fn examine(places: &[&[&str]], outcome: &mut Outcome, read: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    PANIC.set(Some(String::new()));
    let (began, mut result) = (Instant::now(), None);
    let allocated = allocation_counter::measure(|| result = Some(catch_unwind(AssertUnwindSafe(read))));
    outcome.time = outcome.time.max(began.elapsed());
    let panic = PANIC.take().unwrap_or_default();
    outcome.memory = outcome.memory.max(allocated.bytes_max);
    if allocated.bytes_max > MEMORY {
        return Err(format!("took {} bytes", allocated.bytes_max));
    }
    let Some(Ok(result)) = result else {
        return Err(format!("a panic: {panic}"));
    };
    match result {
        Ok(()) => outcome.read += 1,
        Err(error) => {
            outcome.refused += 1;
            if let Some(any) = places.iter().find(|any| !any.iter().any(|place| error.contains(place))) {
                return Err(format!("`{error}` should name one of {any:?}"));
            }
        }
    }
    Ok(())
}

/// Ends the process if a case takes too long, because a single thread cannot be ended.
fn watch(name: &str, current: &AtomicU64, done: &AtomicBool) {
    let (mut case, mut since) = (0, Instant::now());
    while !done.load(Relaxed) {
        thread::sleep(Duration::from_millis(20));
        let now = current.load(Relaxed);
        if now != case {
            (case, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            eprintln!("{name}, case {case}: hangs");
            std::process::exit(101);
        }
    }
}
