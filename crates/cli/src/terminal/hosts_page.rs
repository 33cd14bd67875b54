//! Progress of hosts on a terminal: a bar for all runs or texts, and a line per host.

use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar};
use rekindle::experiment::{DistributedRun, DistributedWork, RunStep, StartedRun, WorkerEvent};
use rekindle::remote::Event;
use rekindle::report::thousands;
use rekindle::results::RunKey;

use super::style;

/// The template of a host's line during a training.
const STEPS: &str = "  {prefix}  {bar:10} {pos}/{len}  {wide_msg}";
/// The template of a host's line at any other time.
const WORDS: &str = "  {prefix}  {wide_msg}";

/// A bar and a line per host, drawn below what is printed.
pub struct HostsPage {
    page: MultiProgress,
    all: ProgressBar,
    before: u64,
    began: Instant,
    hosts: Vec<Line>,
}

/// The line of a host.
struct Line {
    name: String,
    /// The kinds of its devices, once it has reported them.
    kind: Option<String>,
    bar: ProgressBar,
    /// The current run.
    on: String,
    /// Number of texts of the current shard that are done.
    read: usize,
}

impl HostsPage {
    /// A page with all hosts, none of them connected. `done` of `all` runs or texts are finished.
    pub fn new(page: MultiProgress, names: &[String], done: usize, all: usize, what: &str) -> Self {
        let template = format!("  {{bar:32}} {{human_pos}}/{{human_len}} {what}  {{wide_msg}}");
        let all = page.add(ProgressBar::new(all as u64).with_style(style(&template)));
        all.set_position(done as u64);
        let line = |name: &String| {
            let bar = page.add(ProgressBar::new(0).with_style(style(WORDS)).with_message("not connected"));
            Line { name: name.clone(), kind: None, bar, on: String::new(), read: 0 }
        };
        let hosts = names.iter().map(line).collect();
        let page = Self { page, all, before: done as u64, began: Instant::now(), hosts };
        page.name();
        page
    }

    /// Writes the names, with the kinds of the devices, where known.
    fn name(&self) {
        let names = self.hosts.iter().map(|host| match &host.kind {
            Some(kind) => format!("{}  {}", short(&host.name, 32), short(kind, 24)),
            None => short(&host.name, 32),
        });
        let names: Vec<String> = names.collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (host, name) in self.hosts.iter().zip(&names) {
            host.bar.set_prefix(format!("{name:width$}"));
        }
    }

    fn line(&mut self, name: &str) -> Option<&mut Line> {
        self.hosts.iter_mut().find(|host| host.name == name)
    }

    /// Shows that a host is connected, and what it is.
    fn ready(&mut self, name: &str, kind: Option<&str>) {
        let Some(host) = self.line(name) else { return };
        host.kind = kind.map(String::from);
        host.say("waiting".into());
        self.name();
    }

    /// Shows an event of a host that computes runs.
    pub fn show_run(&mut self, name: &str, event: &WorkerEvent<'_>) {
        let Some(host) = self.line(name) else { return };
        match event {
            Event::Started(StartedRun { approach, key: RunKey { seed, repeat, fold, size } }) => {
                let repeat = if *repeat > 1 { format!("  repeat {repeat}") } else { String::new() };
                host.on = format!("{approach}{repeat}  fold {fold}  seed {seed}  size {size}");
                host.say(host.on.clone());
            }
            Event::Progress(RunStep { step, steps }) => {
                host.bar.set_style(style(STEPS));
                host.bar.set_length(*steps as u64);
                host.bar.set_position(step.step as u64);
                host.bar.set_message(format!("loss {:.4}  {}", step.loss, host.on));
            }
            Event::Ready(kind) => self.ready(name, *kind),
            Event::Finished(DistributedRun { work, .. }) => {
                host.say("waiting".into());
                // A training of a search is not a run.
                self.reach(self.all.position() + u64::from(!matches!(work, DistributedWork::Training { .. })));
            }
            Event::Lost(reason) => host.say(format!("lost, retrying: {reason}")),
            Event::GivenUp(reason) => host.say(format!("given up: {reason}")),
        }
    }

    /// Shows an event of a host that computes shards.
    pub fn show_shard(&mut self, name: &str, event: &Event<usize, usize, usize, &str>) {
        let Some(host) = self.line(name) else { return };
        match event {
            Event::Ready(kind) => self.ready(name, *kind),
            Event::Finished(_) => host.say("waiting".into()),
            Event::Started(number) => {
                (host.on, host.read) = (format!("shard {number}"), 0);
                host.say(host.on.clone());
            }
            Event::Progress(texts) => {
                host.read += texts;
                host.say(format!("{}  {} texts", host.on, thousands(host.read)));
            }
            Event::Lost(reason) => host.say(format!("lost, retrying: {reason}")),
            Event::GivenUp(reason) => host.say(format!("given up: {reason}")),
        }
    }

    /// Sets the number of finished runs or texts.
    pub fn reach(&self, done: u64) {
        self.all.set_position(done);
        let (now, all) = (done.saturating_sub(self.before).max(1), self.all.length().unwrap_or_default());
        let left = self.began.elapsed().as_secs_f64() / now as f64 * all.saturating_sub(done) as f64;
        self.all.set_message(format!("{left:.0} s left"));
    }

    /// Removes the page.
    pub fn clear(&self) {
        for bar in self.hosts.iter().map(|host| &host.bar).chain([&self.all]) {
            bar.finish_and_clear();
            self.page.remove(bar);
        }
    }
}

impl Line {
    fn say(&self, words: String) {
        self.bar.set_style(style(WORDS));
        self.bar.set_message(words);
    }
}

/// A text without its middle, where it is longer than that many characters: an identity has 64.
fn short(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return text.into();
    }
    let (begin, end) = (&chars[..most / 3], &chars[chars.len() - (most - most / 3 - 1)..]);
    begin.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, MutexGuard};

    use indicatif::{ProgressDrawTarget, TermLike};
    use rekindle::results::StepRecord;

    use super::*;

    const WIDTH: usize = 100;

    /// A terminal that wraps: its rows, and where the cursor is.
    #[derive(Clone, Debug, Default)]
    struct Terminal(Arc<Mutex<Screen>>);

    #[derive(Debug, Default)]
    struct Screen {
        rows: Vec<[char; WIDTH]>,
        row: usize,
        column: usize,
    }

    impl Terminal {
        fn screen(&self) -> MutexGuard<'_, Screen> {
            self.0.lock().expect("a screen")
        }

        fn shown(&self) -> Vec<String> {
            let rows = self.screen().rows.iter().map(String::from_iter).collect::<Vec<_>>();
            rows.iter().map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
        }
    }

    impl Screen {
        fn put(&mut self, c: char) {
            if c == '\r' {
                self.column = 0;
                return;
            }
            if c == '\n' || self.column == WIDTH {
                (self.row, self.column) = (self.row + 1, 0);
            }
            self.rows.resize(self.rows.len().max(self.row + 1), [' '; WIDTH]);
            if c != '\n' {
                self.rows[self.row][self.column] = c;
                self.column += 1;
            }
        }
    }

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            WIDTH as u16
        }

        fn move_cursor_up(&self, n: usize) -> io::Result<()> {
            self.screen().row -= n;
            Ok(())
        }

        fn move_cursor_down(&self, n: usize) -> io::Result<()> {
            self.screen().row += n;
            Ok(())
        }

        fn move_cursor_right(&self, n: usize) -> io::Result<()> {
            self.screen().column += n;
            Ok(())
        }

        fn move_cursor_left(&self, n: usize) -> io::Result<()> {
            self.screen().column -= n;
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            let mut screen = self.screen();
            text.chars().for_each(|c| screen.put(c));
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            let mut screen = self.screen();
            let row = screen.row;
            if let Some(row) = screen.rows.get_mut(row) {
                *row = [' '; WIDTH];
            }
            screen.column = 0;
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn step(step: usize) -> WorkerEvent<'static> {
        let record = StepRecord::new(step, 1, 0.5, 1.0, 1e-5);
        Event::Progress(RunStep { step: Box::leak(Box::new(record)), steps: 20 })
    }

    #[test]
    fn the_line_of_a_host_shows_its_run() {
        let terminal = Terminal::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let names = ["ws://a:1".to_owned(), "ws://longer:1".to_owned()];
        let all = MultiProgress::with_draw_target(target);
        let mut page = HostsPage::new(all.clone(), &names, 2, 6, "runs");
        let key = RunKey { seed: 42, repeat: 1, fold: 3, size: 9 };
        page.show_run("ws://a:1", &Event::Ready(Some("flex: CPU")));
        page.show_run("ws://a:1", &Event::Started(StartedRun { approach: "lora", key }));
        page.show_run("ws://a:1", &step(5));
        page.show_run("unknown", &Event::Ready(None));
        let draw = || all.suspend(|| {});
        draw();
        let shown = terminal.shown();
        assert_eq!(shown.len(), 3, "{shown:#?}");
        assert!(shown[0].contains(" 2/6 runs"), "{shown:#?}");
        assert!(shown[1].starts_with("  ws://a:1  flex: CPU  ━━╸"), "{shown:#?}");
        assert!(shown[1].ends_with(" 5/20  loss 0.5000  lora  fold 3  seed 42  size 9"), "{shown:#?}");
        assert!(shown[2].starts_with("  ws://longer:1        not connected"), "{shown:#?}");

        let work = DistributedWork::Training { seconds: 1.0 };
        page.show_run("ws://a:1", &Event::Finished(DistributedRun { approach: "lora", work }));
        draw();
        assert!(terminal.shown()[0].contains(" 2/6 runs  "), "{:#?}", terminal.shown());
        let work = DistributedWork::FinalModel;
        page.show_run("ws://a:1", &Event::Finished(DistributedRun { approach: "lora", work }));
        page.show_run("ws://longer:1", &Event::Lost("gone"));
        draw();
        let shown = terminal.shown();
        assert!(shown[0].contains(" 3/6 runs  "), "{shown:#?}");
        assert!(shown[1].ends_with("flex: CPU  waiting"), "{shown:#?}");
        assert!(shown[2].ends_with("lost, retrying: gone"), "{shown:#?}");
        page.show_run("ws://longer:1", &Event::GivenUp("another version"));
        draw();
        assert!(terminal.shown()[2].ends_with("given up: another version"));
        page.clear();
        assert_eq!(terminal.shown(), Vec::<String>::new());
    }

    #[test]
    fn the_line_of_a_host_shows_its_shard() {
        let terminal = Terminal::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let all = MultiProgress::with_draw_target(target);
        let mut page = HostsPage::new(all.clone(), &["ws://a:1".to_owned()], 10_000, 1_000_000, "texts");
        page.show_shard("ws://a:1", &Event::Ready(None));
        page.show_shard("ws://a:1", &Event::Started(7));
        page.show_shard("ws://a:1", &Event::Progress(1024));
        page.show_shard("ws://a:1", &Event::Progress(1024));
        page.reach(12_048);
        all.suspend(|| {});
        let shown = terminal.shown();
        assert!(shown[0].contains(" 12,048/1,000,000 texts  "), "{shown:#?}");
        assert!(shown[1].ends_with("ws://a:1  shard 7  2,048 texts"), "{shown:#?}");
        page.show_shard("ws://a:1", &Event::Started(8));
        all.suspend(|| {});
        assert!(terminal.shown()[1].ends_with("ws://a:1  shard 8"));
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(short("ws://a:1", 8), "ws://a:1");
        assert_eq!(short("iroh://0123456789abcdef@host:3000", 16), "iroh:…@host:3000");
    }
}
