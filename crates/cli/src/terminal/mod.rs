//! Output on the terminal: progress bars on a terminal, plain lines in a pipe.

mod hosts_page;
mod progress;
mod table;
pub mod text;
mod width;

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rekindle::experiment::{DistributedRun, DistributedWork, Progress, RunStep, StartedRun, TrialStep, WorkerEvent};
use rekindle::hub::Download;
use rekindle::remote;
use rekindle::report::thousands;
use rekindle::results::{Results, RunKey, RunRecord};
use rekindle::train::{EpochRecord, Event, StepRecord};

use self::hosts_page::HostsPage;
use self::progress::{Runs, bar_line, duration};
pub use self::table::fitted_table;
use self::text::{report_table, summary_table};
pub use self::width::{fitted_error, fitted_output};
use self::width::{width, width_of};
use crate::exit::Failure;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The summary and warnings.
    Quiet,
    /// Also progress.
    Normal,
    /// Also every step.
    Verbose,
}

impl Verbosity {
    /// From the options `--quiet` and `--verbose`.
    pub fn of(quiet: bool, verbose: bool) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::Quiet,
            (_, true) => Self::Verbose,
            _ => Self::Normal,
        }
    }
}

/// Minimum time between two lines of progress, if no bar is drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints results to standard output, and progress bars and warnings to standard error.
pub struct Display {
    verbosity: Verbosity,
    /// Whether lines go to standard error, because standard output is for data.
    is_aside: bool,
    /// All that is drawn; hidden unless standard error is a terminal.
    drawn: MultiProgress,
    /// The progress of a training, a download or an extraction.
    bar: Option<ProgressBar>,
    /// The hosts, while they compute.
    page: Option<HostsPage>,
    live: bool,
    /// Number of runs of the current approach.
    runs: usize,
    /// All runs of the experiment.
    all: Runs,
    /// When the first run began that was not finished before.
    all_began: Option<Instant>,
    /// All steps of the current training, and those that are taken.
    steps: usize,
    step: usize,
    /// Steps of an interrupted run that was resumed.
    before: Option<usize>,
    began: Instant,
    last_line: Instant,
}

impl Display {
    pub fn new(verbosity: Verbosity) -> Self {
        let live = std::io::stderr().is_terminal() && verbosity > Verbosity::Quiet;
        Self {
            verbosity,
            is_aside: false,
            drawn: MultiProgress::with_draw_target(match live {
                true => ProgressDrawTarget::stderr(),
                false => ProgressDrawTarget::hidden(),
            }),
            bar: None,
            page: None,
            live,
            runs: 1,
            all: Runs::default(),
            all_began: None,
            steps: 0,
            step: 0,
            before: None,
            began: Instant::now(),
            last_line: Instant::now(),
        }
    }

    /// Prints lines to standard error, too: standard output is for data.
    pub fn beside_data(verbosity: Verbosity) -> Self {
        let mut display = Self::new(verbosity);
        display.is_aside = true;
        display
    }

    /// Prints a line, unless quiet.
    pub fn line(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.aside(|| match self.is_aside {
                true => print_error(&fitted_error(text, 0)),
                false => print(&fitted_output(text)),
            });
        }
    }

    /// Prints a warning, also when quiet.
    pub fn warn(&self, text: &str) {
        self.aside(|| print_labelled("warning", YELLOW, text));
    }

    /// Prints above the progress bars.
    fn aside(&self, print: impl FnOnce()) {
        self.drawn.suspend(print);
    }

    /// Returns a way to print to standard error above the progress bars, from any thread.
    pub fn notices(&self) -> impl Fn(&str) + Send + use<> {
        let drawn = self.drawn.clone();
        move |text| drawn.suspend(|| print_error(text))
    }

    /// Prints the scores and findings of an experiment, also when quiet.
    pub fn summary(&self, results: &Results) {
        self.result(&summary_table(results, width_of(io::stdout())));
    }

    /// Prints the result of a command, also when quiet.
    pub fn result(&self, text: &str) {
        print(text);
    }

    /// Shows the progress of a download.
    pub fn download(&mut self, download: &Download) {
        if !self.live {
            if download.done_bytes == 0 {
                self.line(&format!("downloading {} ({} bytes)", download.file, thousands(download.total_bytes)));
            }
            return;
        }
        if self.bar.is_none() {
            self.began = Instant::now();
        }
        let (done, total) = (download.done_bytes, download.total_bytes);
        let rate = done as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        let left = Duration::try_from_secs_f64((total - done.min(total)) as f64 / rate).unwrap_or_default();
        let megabytes = |bytes: f64| format!("{:.1}", bytes / 1e6);
        let parts = [
            (0, format!("{} of {} MB", megabytes(done as f64), megabytes(total as f64))),
            (2, format!("{} MB/s", megabytes(rate))),
            (1, format!("{} left", duration(left))),
        ];
        self.draw(bar_line(width(), download.file, done as f64 / total.max(1) as f64, &parts));
        if done >= total {
            self.clear();
        }
    }

    /// Draws the bar, one or several lines, below what is printed.
    fn draw(&mut self, text: String) {
        if self.live {
            let bar = || self.drawn.add(ProgressBar::new(0).with_style(style("{msg}")));
            self.bar.get_or_insert_with(bar).set_message(text);
        }
    }

    /// Something happened in the experiment.
    pub fn progress(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Planned { runs } => self.all = Runs { all: *runs, ..Runs::default() },
            Progress::RunStarted { .. } | Progress::FinalModel => {
                self.all.current += 1;
                self.all_began.get_or_insert_with(Instant::now);
            }
            Progress::RunRestored(_) => {
                self.all.current += 1;
                self.all.restored += 1;
            }
            _ => {}
        }
        match progress {
            Progress::Loaded { report } => report_table(report).iter().for_each(|line| self.line(line)),
            Progress::Distributed { workers, done, runs } => self.spread(workers, *done, *runs, "runs"),
            Progress::Approach { spec, trainable, total, runs, .. } => {
                self.clear();
                self.runs = *runs;
                let runs = if *runs > 1 { format!(", {runs} runs") } else { String::new() };
                self.line(&format!("\n{spec}\n  {}{runs}", trained_of(*trainable, *total)));
            }
            Progress::Pretraining(event) => self.pretraining(event),
            Progress::Training(event) => self.training(event),
            Progress::Trial(step) => self.trial(step),
            Progress::ShortBudget { approach, seconds, enough } => self.warn(&format!(
                "the budget is too short to compare candidates: a training of {approach} takes {seconds:.0} s; a budget of \
                 {enough:.0} s is enough for this candidate in all searches"
            )),
            Progress::InnerFold { fold, folds } => self.partly("inner folds", fold - 1, *folds),
            Progress::RunFinished(run) | Progress::RunRestored(run) if self.runs > 1 => self.tested(run),
            Progress::Worker { name, event } => self.worker(name, event),
            Progress::FinalModel => self.line("  the final model, on all examples"),
            Progress::ApproachFinished(record) => {
                self.clear();
                self.line(&format!(
                    "  trained in {:.2} s, evaluated in {:.2} s",
                    record.train_seconds, record.eval_seconds
                ));
                if record.f1_undefined {
                    self.warn(&format!(
                        "{}: F1 is not defined (a class was never predicted or never occurs); set to 0 there",
                        record.approach
                    ));
                }
            }
            _ => {}
        }
    }

    /// Begins to show hosts: `done` of `all` runs or texts are finished.
    pub fn spread(&mut self, hosts: &[String], done: usize, all: usize, what: &str) {
        if self.live {
            self.page = Some(HostsPage::new(self.drawn.clone(), hosts, done, all, what));
        }
    }

    /// Shows an event of a host, on its line of the page or on a line of its own.
    fn worker(&mut self, name: &str, event: &WorkerEvent<'_>) {
        if let Some(page) = &mut self.page {
            page.show_run(name, event);
        }
        let is_shown = self.page.is_some() && self.verbosity < Verbosity::Verbose;
        match event {
            remote::Event::Ready(_) | remote::Event::Started(_) | remote::Event::Finished(_) if is_shown => {}
            remote::Event::Ready(_) => self.line(&format!("{name}  connected")),
            remote::Event::Started(StartedRun { approach, key: RunKey { seed, repeat, fold, size } }) => {
                self.line(&format!("{name}  starts {approach}  repeat {repeat}  fold {fold}  seed {seed}  size {size}"))
            }
            remote::Event::Progress(RunStep { step, .. }) if self.verbosity == Verbosity::Verbose => {
                self.line(&format!("{name}  step {}  loss {:.4}", step.step, step.loss));
            }
            remote::Event::Finished(DistributedRun { approach, work }) => {
                let done = match work {
                    DistributedWork::Run(run) => format!("{}  {:.2} s", scores(run, false), run.train_seconds),
                    DistributedWork::FinalModel => ", the final model".into(),
                    DistributedWork::Training { seconds } => format!(" on an inner fold  {seconds:.2} s"),
                };
                self.line(&format!("{name}  finished {approach}{done}"));
            }
            remote::Event::Lost(reason) => {
                self.warn(&format!("{name}: {reason}; another device computes its run, and the connection is retried"));
            }
            remote::Event::GivenUp(reason) => self.warn(&format!("{name}: {reason}; the connection is not retried")),
            _ => {}
        }
    }

    /// Shows a candidate of a search.
    fn trial(&mut self, TrialStep { trial, number, of, rung, rungs }: &TrialStep<'_>) {
        self.clear();
        let rung = if *rungs > 1 { format!("rung {rung}/{rungs}  ") } else { String::new() };
        let folds = trial.scores.len();
        let scored = match (&trial.failed, trial.mean(folds)) {
            (Some(reason), _) => format!("out: {reason}"),
            (None, Some(mean)) => format!("{mean:.4} on {folds} inner fold{}", if folds == 1 { "" } else { "s" }),
            (None, None) => "not tried".into(),
        };
        self.line(&format!("  {rung}{number}/{of}  {}  {scored}  {:.2} s", trial.approach, trial.seconds));
    }

    /// Shows a finished run.
    fn tested(&mut self, run: &RunRecord) {
        self.clear();
        let RunRecord { seed, repeat, fold, size, .. } = run;
        self.line(&format!("  repeat {repeat}  fold {fold}  seed {seed}  size {size}{}", scores(run, true)));
    }

    /// Shows an event of a training.
    pub fn training(&mut self, event: &Event) {
        match event {
            Event::Begin { steps, .. } => {
                self.steps = *steps;
                self.before = None;
                self.began = Instant::now();
                self.last_line = self.began;
                self.at_step(0, &[]);
            }
            Event::Resumed { step } => {
                self.before = Some(*step);
                self.line(&format!("  resumes after step {step} of {}", self.steps));
            }
            Event::Step(step) if self.before.is_some_and(|before| step.step <= before) => {}
            Event::Step(step) => self.step(step),
            Event::Extracting { done, total } => self.partly("features", *done, *total),
            Event::Evaluating { done, total } => self.partly("evaluating", *done, *total),
            // Each of many runs is one line.
            Event::Epoch(_) if self.runs > 1 && self.verbosity < Verbosity::Verbose => {}
            Event::Epoch(epoch) => self.epoch(epoch),
            _ => {}
        }
    }

    /// Shows an event of masked language modelling.
    pub fn pretraining(&mut self, event: &Event) {
        let Event::Epoch(EpochRecord { epoch, train_loss, eval_loss, .. }) = event else { return self.training(event) };
        self.line(&format!(
            "  epoch {epoch}  train loss {train_loss:.4}  held-out loss {eval_loss:.4}  perplexity {:.2}",
            eval_loss.exp()
        ));
    }

    fn epoch(&self, record: &EpochRecord) {
        let EpochRecord { epoch, train_loss, eval_loss, accuracy, f1, .. } = record;
        let scores = accuracy.zip(*f1).map(|(accuracy, f1)| format!("  accuracy {accuracy:.4}  F1 {f1:.4}"));
        self.line(&format!(
            "  epoch {epoch}  train loss {train_loss:.6}  eval loss {eval_loss:.6}{}",
            scores.unwrap_or_default()
        ));
    }

    fn step(&mut self, step: &StepRecord) {
        let numbers = [
            (2, format!("loss {:.4}", step.loss)),
            (3, format!("grad norm {:.3}", step.grad_norm)),
            (4, format!("rate {:.2e}", step.learning_rate)),
        ];
        let before = *self.before.get_or_insert(step.step - 1);
        let here = (step.step - before).max(1) as f64;
        self.step = step.step;
        let left = self.began.elapsed().mul_f64(self.steps.saturating_sub(step.step) as f64 / here);
        let left = format!("{} left", duration(left));
        let due = !self.live && self.last_line.elapsed() >= LINE_EVERY;
        if self.verbosity == Verbosity::Verbose || due {
            let numbers = numbers.each_ref().map(|(_, number)| number.as_str()).join("  ");
            let runs = self.all_runs().map_or(String::new(), |runs| format!("  ({runs})"));
            self.line(&format!("  step {}/{}  {numbers}  {left}{runs}", step.step, self.steps));
            self.last_line = Instant::now();
        }
        self.at_step(step.step, &[&numbers[..], &[(1, left)]].concat());
    }

    /// Draws the bar of a training after some steps.
    fn at_step(&mut self, step: usize, parts: &[(u8, String)]) {
        let parts = [&[(0, format!("{step}/{} steps", self.steps))], parts].concat();
        let line = bar_line(width(), "", step as f64 / self.steps.max(1) as f64, &parts);
        self.step = step;
        self.draw_with_runs(line);
    }

    /// Draws the bar of an evaluation, or of the features of a frozen encoder.
    fn partly(&mut self, what: &str, done: usize, total: usize) {
        let line = bar_line(width(), what, done as f64 / total.max(1) as f64, &[(0, format!("{done}/{total}"))]);
        self.draw_with_runs(line);
    }

    /// Draws a line, and below it the progress of all runs.
    fn draw_with_runs(&mut self, line: String) {
        let runs = self.all_runs().map_or(String::new(), |runs| format!("\n  {runs}"));
        self.draw(line + &runs);
    }

    /// Returns the progress of all runs, if there are several.
    fn all_runs(&self) -> Option<String> {
        let began = self.all_began.filter(|_| self.all.all > 1)?;
        Some(self.all.line(began.elapsed(), self.step as f64 / self.steps.max(1) as f64))
    }

    /// Shows how many texts are done: `before` by an interrupted run, `read` since.
    pub fn reading(&mut self, before: usize, read: usize, total: usize) {
        let (done, pace) = (before + read, read as f64 / self.began.elapsed().as_secs_f64());
        if let Some(page) = &self.page {
            page.reach(done as u64);
        } else if self.live {
            let left = Duration::try_from_secs_f64((total - done.min(total)) as f64 / pace).unwrap_or_default();
            let parts = [
                (0, format!("{}/{} texts", thousands(done), thousands(total))),
                (2, format!("{pace:.0} per second")),
                (1, format!("{} left", duration(left))),
            ];
            self.draw(bar_line(width(), "", done as f64 / total.max(1) as f64, &parts));
        } else if self.last_line.elapsed() >= LINE_EVERY {
            let left = (total - done) as f64 / pace;
            let (done, total) = (thousands(done), thousands(total));
            self.line(&format!("  {done}/{total} texts  {pace:.0} per second  {left:.0} s left"));
            self.last_line = Instant::now();
        }
    }

    /// Shows an event of a host that computes features.
    pub fn shard(&mut self, name: &str, event: &remote::Event<usize, usize, usize, &str>) {
        if let Some(page) = &mut self.page {
            page.show_shard(name, event);
        }
        match event {
            remote::Event::Finished(number) if self.verbosity == Verbosity::Verbose => {
                self.line(&format!("{name}  wrote shard {number}"));
            }
            remote::Event::Lost(reason) => {
                self.warn(&format!(
                    "{name}: {reason}; another device computes its shard, and the connection is retried"
                ));
            }
            remote::Event::GivenUp(reason) => self.warn(&format!("{name}: {reason}; the connection is not retried")),
            _ => {}
        }
    }

    /// Removes the progress bars.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.drawn.remove(&bar);
        }
        if let Some(page) = self.page.take() {
            page.clear();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns how many parameters are trained; 0 of 0 without a model.
fn trained_of(trainable: usize, total: usize) -> String {
    if total == 0 {
        return "no pretrained model".into();
    }
    let share = 100.0 * trainable as f64 / total as f64;
    format!("trainable parameters {} of {} ({share:.2} %)", thousands(trainable), thousands(total))
}

/// Why standard output could not be written to, the first time.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line to standard output. If that fails, the command continues, because its results may be in files, and
/// [`check_output`] reports the failure at its end.
pub fn print(text: &str) {
    if let Err(error) = writeln!(anstream::stdout(), "{text}") {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Checks that everything that was printed to standard output has been written.
///
/// # Errors
/// Returns the first failure of [`print`].
pub fn check_output() -> io::Result<()> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// Prints a line to standard error. If that fails, there is no place to report it.
pub fn print_error(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints why a command failed to standard error.
pub fn print_failure(failure: &Failure) {
    print_labelled("error", RED, &failure.to_string());
}

/// The codes of colours on the terminal.
const RED: u8 = 31;
const YELLOW: u8 = 33;

/// Prints a message with a coloured label to standard error.
fn print_labelled(label: &str, colour: u8, text: &str) {
    let text = fitted_error(text, label.len() + 2);
    print_error(&format!("\x1b[1;{colour}m{label}:\x1b[0m {text}"));
}

/// The style of a progress bar.
pub fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸ ")
}

/// The scores of a run: the first of accuracy, F1 and the further metrics of its task, two of them with `all`; and the loss.
fn scores(run: &RunRecord, all: bool) -> String {
    let of_classes = [("accuracy", run.accuracy), ("F1", run.f1)];
    let further = run.metrics.iter().map(|(name, value)| (name.as_str(), Some(*value)));
    let known = of_classes.into_iter().chain(further).filter_map(|(name, value)| Some((name, value?)));
    let shown = known.take(if all { 2 } else { 1 }).map(|(name, value)| format!("  {name} {value:.4}"));
    shown.chain([format!("  loss {:.6}", run.loss)]).collect()
}
