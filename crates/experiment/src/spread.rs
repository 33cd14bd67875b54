//! The runs of an experiment, spread over devices that may come late, go, and come again.
//!
//! Each device has a thread that takes runs from a board, the longest first, and notes in the journal what came of them.
//! The experiment itself then finds them done, as after a break: results do not depend on who made a run, or when.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rekindle_train::{EncodedDataset, Event, StepRecord, TrainError};
use thiserror::Error;

use crate::error::ExperimentError;
use crate::job::Job;
use crate::journal::{Finished, Journal};
use crate::model::PretrainedModel;
use crate::results::RunRecord;
use crate::run::{Experiment, Progress, RunKey};
use crate::sampling::Sampling;
use crate::trial::{Bench, Draw};

/// Where an experiment computes.
#[derive(Debug)]
pub struct Engine<'a> {
    /// Its name, recorded as it is given.
    pub backend: &'a str,
    /// The device that reads the weights and, where there are no hosts, makes all runs.
    pub device: &'a Device,
    /// The devices that the runs are spread over.
    pub hosts: Vec<Host>,
}

impl<'a> From<(&'a str, &'a Device)> for Engine<'a> {
    /// One device.
    fn from((backend, device): (&'a str, &'a Device)) -> Self {
        Self { backend, device, hosts: Vec::new() }
    }
}

/// A device that runs are given to.
pub struct Host {
    /// Its name, for whoever watches.
    pub name: String,
    /// Connects it: at the start, and anew after it was lost.
    pub connect: Connect,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Connects a device.
pub type Connect = Box<dyn FnMut() -> Result<Device, Unavailable> + Send>;

/// Why a device cannot be had.
#[derive(Debug, Error)]
pub enum Unavailable {
    /// It may come.
    #[error("{0}")]
    Away(String),
    /// It will not.
    #[error("{0}")]
    Refused(String),
}

/// What a host does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum HostNews<'a> {
    /// It is connected and has the weights.
    Ready,
    /// It begins a run.
    Begins {
        /// The approach.
        approach: &'a str,
        /// Seed, repeat and fold.
        key: RunKey,
    },
    /// It has taken a step.
    Step(&'a StepRecord),
    /// It has done its run.
    Done {
        /// The approach.
        approach: &'a str,
        /// What came of it; absent for a model that is trained to be kept.
        record: Option<&'a RunRecord>,
    },
    /// It is lost. What it was on is done elsewhere, and it is asked again.
    Lost {
        /// How.
        reason: &'a str,
    },
    /// It is not asked again.
    GivenUp {
        /// Why.
        reason: &'a str,
    },
}

/// How often a run may lose the host that it is on before it is what is wrong.
const LOSSES: usize = 5;
/// How often in a row a host may be away while no other is there.
const ABSENCES: usize = 8;
/// How long until a host is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How many times longer than an idle host would take may a run take before that host makes it too.
const PATIENCE: f64 = 2.0;
/// How long hosts have, once all is done or one asked for an end, to leave what they are on.
const GRACE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(100);

/// Makes all runs that the journal does not have yet on `hosts`.
pub(crate) fn spread(
    bench: &Bench<'_>,
    journal: &Journal,
    jobs: &[Job],
    hosts: Vec<Host>,
    observer: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ExperimentError> {
    let board = Board::new(bench, journal, jobs)?;
    if board.is_settled() {
        return Ok(());
    }
    let (count, open) = (hosts.len(), board.settled.iter().filter(|&&settled| !settled).count());
    let work = Arc::new(Work {
        experiment: bench.experiment.clone(),
        pretrained: bench.pretrained.clone(),
        sampling: bench.sampling.clone(),
        sentences: bench.sentences.clone(),
        journal: journal.share(),
        jobs: jobs.to_vec(),
        board: Mutex::new(board),
        bell: Condvar::new(),
    });
    let (sender, news) = channel();
    for (id, host) in hosts.into_iter().enumerate() {
        let worker = Worker { work: Arc::clone(&work), id, name: host.name.into(), news: sender.clone(), pace: None };
        // Not joined: a host whose link is cut may keep its thread waiting for minutes after all is done elsewhere.
        std::thread::spawn(move || worker.run(host.connect));
    }
    drop(sender);
    let mut watch = Watch { work: &work, news: &news, left: count, open };
    let result = watch.until_done(observer);
    if result.as_ref().is_err_and(is_interruption) {
        // Each host writes a checkpoint.
        watch.leave();
    }
    work.board().closed = true;
    work.bell.notify_all();
    watch.leave();
    result
}

/// What the threads of all hosts share.
struct Work {
    experiment: Experiment,
    pretrained: PretrainedModel,
    sampling: Sampling,
    sentences: EncodedDataset,
    journal: Journal,
    jobs: Vec<Job>,
    board: Mutex<Board>,
    /// Rings when the board changes.
    bell: Condvar,
}

/// Which runs wait, are under way, and are done.
struct Board {
    /// The shortest first.
    waiting: Vec<usize>,
    leases: Vec<Lease>,
    /// By the run's number.
    settled: Vec<bool>,
    losses: Vec<usize>,
    /// What a run takes, in sentences read.
    costs: Vec<f64>,
    /// Hosts that are there.
    present: usize,
    /// Nothing more is taken or noted.
    closed: bool,
}

/// A run under way.
struct Lease {
    number: usize,
    host: usize,
    since: Instant,
}

impl Board {
    fn new(bench: &Bench<'_>, journal: &Journal, jobs: &[Job]) -> Result<Self, ExperimentError> {
        let settled = jobs.iter().map(|job| match job.sample {
            Some(_) => Ok(journal.finished(job.number)?.is_some()),
            None => Ok(bench.kept_model(job.approach(bench.experiment))?.is_some()),
        });
        let settled = settled.collect::<Result<Vec<bool>, ExperimentError>>()?;
        let costs = jobs.iter().map(|job| cost(bench, job)).collect::<Result<Vec<f64>, ExperimentError>>()?;
        let mut waiting: Vec<usize> = (0..jobs.len()).rev().filter(|&number| !settled[number]).collect();
        waiting.sort_by(|&one, &other| costs[one].total_cmp(&costs[other]));
        let losses = vec![0; jobs.len()];
        Ok(Self { waiting, leases: Vec::new(), settled, losses, costs, present: 0, closed: false })
    }

    fn is_settled(&self) -> bool {
        self.settled.iter().all(|&settled| settled)
    }

    /// The longest run that waits or else, for a host that does a sentence in `pace` seconds, one that keeps another host
    /// much longer.
    fn take(&mut self, host: usize, pace: Option<f64>) -> Option<usize> {
        let number = self.waiting.pop().or_else(|| {
            let alone = |lease: &&Lease| self.leases.iter().filter(|other| other.number == lease.number).count() == 1;
            let slow = |lease: &&Lease| {
                pace.is_some_and(|pace| {
                    lease.since.elapsed().as_secs_f64() > 1.0 + PATIENCE * pace * self.costs[lease.number]
                })
            };
            self.leases.iter().filter(|lease| lease.host != host).filter(alone).find(slow).map(|lease| lease.number)
        })?;
        self.leases.push(Lease { number, host, since: Instant::now() });
        Some(number)
    }

    /// A host is no longer on a run; where nobody is and it is not done, it waits again, before all others.
    fn leave(&mut self, host: usize, number: usize) {
        self.leases.retain(|lease| lease.host != host);
        if !self.settled[number] && self.leases.iter().all(|lease| lease.number != number) {
            self.waiting.push(number);
        }
    }
}

/// Roughly: a frozen base is only read forward.
fn cost(bench: &Bench<'_>, job: &Job) -> Result<f64, ExperimentError> {
    let (approach, arguments) = (job.approach(bench.experiment), &bench.experiment.arguments);
    let (plan, ..) = bench.plan(approach)?;
    let passes = if plan.freezes_base() { 1 } else { 3 };
    Ok((job.size * (passes * arguments.num_train_epochs + 3 * approach.pretrain_epochs)) as f64)
}

impl Work {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        let board = self.board();
        board.closed || board.is_settled()
    }

    /// The next run for a host; `None` when there will be none.
    fn take(&self, host: usize, pace: Option<f64>) -> Option<usize> {
        let mut board = self.board();
        loop {
            if board.closed || board.is_settled() || self.journal.check_stop().is_err() {
                return None;
            }
            if let Some(number) = board.take(host, pace) {
                return Some(number);
            }
            board = self.bell.wait_timeout(board, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes that a run is done, once; `None` where another host was first.
    fn settle(&self, number: usize, finished: Option<Finished>) -> Result<Option<Option<RunRecord>>, ExperimentError> {
        let mut board = self.board();
        if board.closed || board.settled[number] {
            return Ok(None);
        }
        if let Some(finished) = &finished {
            self.journal.finish(number, finished)?;
        }
        board.settled[number] = true;
        self.bell.notify_all();
        Ok(Some(finished.map(|finished| finished.record)))
    }
}

/// What a host's thread says.
enum News {
    Ready,
    Begins(usize),
    Step(StepRecord),
    Done(usize, Option<RunRecord>),
    Lost(String),
    /// The thread ends: there is nothing left, or an error.
    Ended(Result<(), ExperimentError>),
}

/// Tells the observer what the hosts say.
struct Watch<'a> {
    work: &'a Work,
    news: &'a Receiver<(Arc<str>, News)>,
    /// Hosts whose threads have not ended.
    left: usize,
    /// Runs that are not done.
    open: usize,
}

impl Watch<'_> {
    fn until_done(&mut self, observer: &mut dyn FnMut(Progress<'_>)) -> Result<(), ExperimentError> {
        let mut last = None;
        while let Ok((name, news)) = self.news.recv() {
            let tell = &mut |news: HostNews<'_>| observer(Progress::Host { name: &name, news });
            match self.tell(news, tell) {
                Err(error @ ExperimentError::Host { .. }) => last = Some(error),
                Err(error) => return Err(error),
                Ok(()) if self.open == 0 => return Ok(()),
                Ok(()) => {}
            }
            if self.left == 0 {
                break;
            }
        }
        Err(last.unwrap_or(ExperimentError::Interrupted))
    }

    fn tell(&mut self, news: News, tell: &mut dyn FnMut(HostNews<'_>)) -> Result<(), ExperimentError> {
        let job = |number: usize| &self.work.jobs[number];
        let approach = |number: usize| job(number).approach(&self.work.experiment).name.as_str();
        match news {
            News::Ready => tell(HostNews::Ready),
            News::Begins(number) => {
                let (sample, train) = job(number).rows(&self.work.experiment, &self.work.sampling)?;
                let draw = Draw { sample: &sample, train: &train, seed: job(number).seed, number };
                tell(HostNews::Begins { approach: approach(number), key: draw.key() });
            }
            News::Step(step) => tell(HostNews::Step(&step)),
            News::Done(number, record) => {
                self.open -= 1;
                tell(HostNews::Done { approach: approach(number), record: record.as_ref() });
            }
            News::Lost(reason) => tell(HostNews::Lost { reason: &reason }),
            News::Ended(result) => {
                self.left -= 1;
                if let Err(ExperimentError::Host { reason, .. }) = &result {
                    tell(HostNews::GivenUp { reason });
                }
                result?;
            }
        }
        Ok(())
    }

    /// Gives hosts that are still on a run the time to leave it.
    fn leave(&mut self) {
        let until = Instant::now() + GRACE;
        while self.left > 0 {
            match self.news.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((_, News::Ended(_))) => self.left -= 1,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// The thread of one host.
struct Worker {
    work: Arc<Work>,
    id: usize,
    name: Arc<str>,
    news: Sender<(Arc<str>, News)>,
    /// Seconds a sentence, of its last run.
    pace: Option<f64>,
}

/// Why a host makes no more runs for now.
enum End {
    Lost(String),
    Failed(ExperimentError),
}

/// Thrown through a run that another host has finished.
struct Abandoned;

impl Worker {
    fn run(mut self, connect: Connect) {
        let result = self.runs(connect);
        self.say(News::Ended(result));
    }

    fn runs(&mut self, mut connect: Connect) -> Result<(), ExperimentError> {
        let name = self.name.to_string();
        let refused = |reason| ExperimentError::Host { host: name.clone(), reason };
        let (mut absences, mut found) = (0, None);
        loop {
            if let Some(device) = found.take() {
                self.work.board().present += 1;
                let end = self.serve(&device);
                self.work.board().present -= 1;
                match end {
                    Ok(()) => return self.work.journal.check_stop(),
                    Err(End::Failed(error)) => return Err(error),
                    Err(End::Lost(reason)) => self.say(News::Lost(reason)),
                }
            }
            if self.work.is_over() {
                return Ok(());
            }
            self.work.journal.check_stop()?;
            match connect() {
                Ok(device) => (absences, found) = (0, Some(device)),
                Err(Unavailable::Refused(reason)) => return Err(refused(reason)),
                Err(Unavailable::Away(reason)) => {
                    absences = if self.work.board().present > 0 { 0 } else { absences + 1 };
                    if absences == ABSENCES {
                        return Err(refused(reason));
                    }
                    std::thread::sleep(AGAIN);
                }
            }
        }
    }

    /// Makes runs on a device until none is left or the device is lost.
    fn serve(&mut self, device: &Device) -> Result<(), End> {
        let work = Arc::clone(&self.work);
        let Work { experiment, pretrained, sampling, sentences, journal, .. } = &*work;
        let bench =
            || Bench::on(device, sentences.clone(), experiment, pretrained, sampling, Some(journal)).map_err(end);
        let mut bench = catch_unwind(AssertUnwindSafe(bench)).unwrap_or_else(|panic| Err(End::Lost(words(&*panic))))?;
        self.say(News::Ready);
        while let Some(number) = work.take(self.id, self.pace) {
            self.say(News::Begins(number));
            let began = Instant::now();
            let made = catch_unwind(AssertUnwindSafe(|| self.make(&mut bench, number).map_err(end)));
            let made = match made {
                Err(panic) if panic.is::<Abandoned>() => Ok(()),
                Err(panic) => Err(End::Lost(words(&*panic))),
                Ok(made) => made,
            };
            let mut board = work.board();
            board.leave(self.id, number);
            match made {
                Ok(()) => self.pace = Some(began.elapsed().as_secs_f64() / board.costs[number].max(1.0)),
                Err(End::Lost(reason)) => {
                    board.losses[number] += 1;
                    // Elsewhere it would end so too.
                    return Err(match board.losses[number] {
                        LOSSES => {
                            let approach = work.jobs[number].approach(experiment).name.clone();
                            End::Failed(ExperimentError::Train { approach, source: TrainError::Device(reason) })
                        }
                        _ => End::Lost(reason),
                    });
                }
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    fn make(&self, bench: &mut Bench<'_>, number: usize) -> Result<(), ExperimentError> {
        let work = &*self.work;
        let job = &work.jobs[number];
        let approach = job.approach(&work.experiment);
        let (plan, ..) = bench.plan(approach)?;
        let (sample, train) = job.rows(&work.experiment, &work.sampling)?;
        let draw = Draw { sample: &sample, train: &train, seed: job.seed, number };
        let mut observe = |progress: Progress<'_>| {
            let board = work.board();
            if board.closed || board.settled[number] {
                drop(board);
                resume_unwind(Box::new(Abandoned));
            }
            if let Progress::Training(Event::Step(step)) = progress {
                self.say(News::Step(step.clone()));
            }
        };
        let finished = match job.sample {
            Some(_) => {
                let trial = bench.perform(approach, &plan, draw, job.keeps, &mut observe)?;
                Some(Finished { record: trial.record, logits: trial.evaluation.logits })
            }
            None => {
                let trained = bench.train(approach, &plan, draw, &mut observe)?;
                bench.keep_model(approach, trained.model)?;
                None
            }
        };
        if let Some(record) = work.settle(number, finished)? {
            self.say(News::Done(number, record));
        }
        Ok(())
    }

    fn say(&self, news: News) {
        // Whoever listened may have heard enough.
        let _ = self.news.send((Arc::clone(&self.name), news));
    }
}

fn is_interruption(error: &ExperimentError) -> bool {
    matches!(
        error,
        ExperimentError::Interrupted | ExperimentError::Train { source: TrainError::Interrupted { .. }, .. }
    )
}

/// What an error means for the host that it happened on.
fn end(error: ExperimentError) -> End {
    match error {
        ExperimentError::Train { source: TrainError::Device(reason), .. } => End::Lost(reason),
        error => End::Failed(error),
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("the engine gave up").into()
}
