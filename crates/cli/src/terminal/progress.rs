//! Progress as text that fits the width of the terminal.

use std::time::Duration;

/// The narrowest and the widest bar.
const BAR: (usize, usize) = (8, 32);
/// The highest rank of parts that are more important than the bar.
const BEFORE_BAR: u8 = 1;

/// Formats a line with a bar: its title, how much is done, and parts that follow, each with its rank. On a narrow
/// terminal, the bar shrinks, and then parts are left out, the highest rank first, and the bar before those of rank 0 and
/// 1. No part is cut.
pub fn bar_line(width: usize, title: &str, done: f64, parts: &[(u8, String)]) -> String {
    let mut ranks: Vec<u8> = parts.iter().map(|(rank, _)| *rank).collect();
    ranks.sort_unstable();
    // The last column stays free: some terminals wrap after it.
    let room = width.saturating_sub(1);
    let length = |most: u8| {
        let shown = parts.iter().filter(|(rank, _)| *rank <= most);
        shown.map(|(_, part)| part.chars().count() + 2).sum::<usize>()
    };
    let title = if title.is_empty() { String::new() } else { format!("  {title}") };
    let base = title.chars().count() + 2;
    let least = |most: u8| if most > BEFORE_BAR { base + BAR.0 } else { base - 2 };
    let most = ranks.iter().rev().copied().find(|&most| least(most) + length(most) <= room);
    let most = most.or(ranks.first().copied()).unwrap_or_default();
    let bar = room.saturating_sub(base + length(most)).min(BAR.1);
    let bar = if bar < BAR.0 { String::new() } else { format!("  {}", bar_of(bar, done)) };
    let shown = parts.iter().filter(|(rank, _)| *rank <= most).map(|(_, part)| format!("  {part}"));
    [title, bar].into_iter().chain(shown).collect()
}

/// Draws a bar.
fn bar_of(width: usize, done: f64) -> String {
    let filled = (done.clamp(0.0, 1.0) * width as f64) as usize;
    let tip = if filled < width { "╸" } else { "" };
    format!("{}{tip}{}", "━".repeat(filled), " ".repeat(width.saturating_sub(filled + 1)))
}

/// Formats how long something takes: `40 s`, `5 min`, `2 h 10 min`.
pub fn duration(time: Duration) -> String {
    match time.as_secs_f64().round() as u64 {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds if seconds < 3600 => format!("{} min", (seconds + 30) / 60),
        seconds => {
            let minutes = (seconds + 30) / 60;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

/// How far all runs of a command are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runs {
    /// The current run, from 1.
    pub current: usize,
    /// All runs.
    pub all: usize,
    /// Runs that were finished before the command was started.
    pub restored: usize,
}

impl Runs {
    /// Formats the progress of all runs, after some time and with the current run partly done: `run 4 of 15, about 5 min
    /// left`. Runs that are still to come are assumed to take as long as the earlier ones.
    pub fn line(&self, elapsed: Duration, done: f64) -> String {
        let here = self.current.saturating_sub(1 + self.restored) as f64 + done.clamp(0.0, 1.0);
        let to_come = (self.all.saturating_sub(self.restored) as f64 - here).max(0.0);
        let run = format!("run {} of {}", self.current, self.all);
        // The first steps say little about the rest.
        if here < 0.05 {
            return run;
        }
        format!("{run}, about {} left", duration(elapsed.mul_f64(to_come / here)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of a training, as it is longest.
    fn training(width: usize) -> String {
        let parts = [
            (0, "12000/60000 steps"),
            (2, "loss 0.6931"),
            (3, "grad norm 12.345"),
            (4, "rate 2.00e-05"),
            (1, "12 min left"),
        ];
        bar_line(width, "", 0.2, &parts.map(|(rank, part)| (rank, part.to_owned())))
    }

    #[test]
    fn a_line_fits_the_terminal_and_no_part_is_cut() {
        let expected = [
            (40, "  12000/60000 steps  12 min left"),
            (50, "  ━━━╸             12000/60000 steps  12 min left"),
            (80, "  ━━╸             12000/60000 steps  loss 0.6931  grad norm 12.345  12 min left"),
            (
                120,
                "  ━━━━━━╸                           12000/60000 steps  loss 0.6931  grad norm 12.345  rate 2.00e-05  \
                 12 min left",
            ),
        ];
        for (width, line) in expected {
            assert_eq!(training(width), line, "{width}");
            assert!(line.chars().count() < width, "{width}");
        }
    }

    #[test]
    fn a_download_fits_the_terminal() {
        let parts =
            [(0, "120 of 268 MB"), (2, "11 MB/s"), (1, "13 s left")].map(|(rank, part)| (rank, part.to_owned()));
        for width in [40, 50, 80, 120] {
            let line = bar_line(width, "model.safetensors", 0.45, &parts);
            assert!(line.chars().count() < width, "{width}: {line}");
            assert!(line.starts_with("  model.safetensors  ") && line.contains("  120 of 268 MB"), "{width}: {line}");
        }
    }

    #[test]
    fn a_bar_is_empty_at_the_start_and_full_at_the_end() {
        assert_eq!(bar_of(4, 0.0), "╸   ");
        assert_eq!(bar_of(4, 0.5), "━━╸ ");
        assert_eq!(bar_of(4, 1.0), "━━━━");
        assert_eq!(bar_of(4, f64::NAN).chars().count(), 4);
    }

    #[test]
    fn durations_have_one_or_two_units() {
        let cases =
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (330, "6 min"), (3600, "1 h 0 min"), (7830, "2 h 11 min")];
        for (seconds, expected) in cases {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_progress_of_all_runs_counts_the_current_one() {
        let runs = Runs { current: 4, all: 15, restored: 0 };
        assert_eq!(runs.line(Duration::from_secs(90), 0.0), "run 4 of 15, about 6 min left");
        assert_eq!(runs.line(Duration::from_secs(90), 0.6), "run 4 of 15, about 5 min left");
        let resumed = Runs { current: 11, all: 15, restored: 10 };
        assert_eq!(resumed.line(Duration::from_secs(10), 0.0), "run 11 of 15");
        assert_eq!(resumed.line(Duration::from_secs(10), 0.5), "run 11 of 15, about 2 min left");
        let last = Runs { current: 15, all: 15, restored: 0 };
        assert_eq!(last.line(Duration::from_secs(60), 1.0), "run 15 of 15, about 0 s left");
    }
}
