//! The runs of an experiment, distributed over workers.
//!
//! Workers record finished runs in the store; the experiment then restores all of them, as after an interruption. The trainings of a
//! search are distributed, too: what a search needs next follows from its trainings in the store ([`Race::next`]), in the same order
//! as on one device, so that the choice does not depend on the workers unless time is limited.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::tensor::Device;
use rekindle_infer::PretrainedModel;
use rekindle_remote::{Devices, Failure, Items, QueueEvent, WorkError, WorkQueue, Worker, run};
use rekindle_results::StepRecord;
use rekindle_train::{EncodedDataset, Event, TrainError};

use crate::budget::{Account, Budget};
use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::experiment_store::{ExperimentStore, FinishedRun};
use crate::history::step_record;
use crate::progress::{DistributedRun, DistributedWork, Progress, RunStep, StartedRun, WorkerEvent};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;
use crate::search::{Next, Race, Trained, is_late};

/// Where an experiment is computed.
#[derive(Debug)]
pub struct Engine<'a> {
    /// The name of the backend, for the results.
    pub backend: &'a str,
    /// The device that loads the weights and, without workers, computes all runs.
    pub device: &'a Device,
    /// The workers that the runs are distributed over.
    pub workers: Vec<Worker>,
}

impl<'a> From<(&'a str, &'a Device)> for Engine<'a> {
    /// One device.
    fn from((backend, device): (&'a str, &'a Device)) -> Self {
        Self { backend, device, workers: Vec::new() }
    }
}

/// Computes all runs that are not in the store, and the trainings of their searches.
pub(crate) fn compute_runs(
    experiment: &Experiment,
    context: &RunContext<'_>,
    store: &ExperimentStore,
    specs: &[RunSpec],
    workers: Vec<Worker>,
    observer: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ExperimentError> {
    // As in `RunContext::restore`.
    let is_recorded = |spec: &RunSpec| {
        Ok(store.finished(spec.number)?.is_some() && (!spec.keeps_model || context.stored_model(spec)?.is_some()))
    };
    let recorded = specs.iter().map(is_recorded).collect::<Result<Vec<bool>, ExperimentError>>()?;
    let names: Vec<String> = workers.iter().map(|worker| worker.name.clone()).collect();
    let done = recorded.iter().filter(|&&recorded| recorded).count();
    observer(Progress::Distributed { workers: &names, done, runs: specs.len() });
    let mut queue = RunQueue {
        experiment: experiment.clone(),
        pretrained: context.pretrained.clone(),
        sampling: context.sampling.clone(),
        runs: context.runs,
        examples: context.examples.clone(),
        store: store.share(),
        specs: specs.to_vec(),
        races: HashMap::new(),
        deadline: None,
        plan: Mutex::default(),
    };
    let mut costs = Vec::new();
    for (run, spec) in specs.iter().enumerate().filter(|(run, _)| !recorded[*run]) {
        let approach = experiment.approach_of(spec);
        if let Some(search) = approach.search() {
            let account = Account::of_workers(search.budget, context.searches(), workers.len());
            queue.races.insert(run, Race::new(search, spec, context, account)?);
            if let Budget::Time(time) = search.budget {
                queue.deadline = Instant::now().checked_add(time);
            }
            costs.extend(queue.follow(run)?);
        } else {
            queue.plan().items.push(Item::Run(run));
            costs.push(approach.learner.cost(context, spec));
        }
    }
    let queue = Arc::new(queue);
    let report = Arc::clone(&queue);
    let items = Items { recorded: vec![false; costs.len()], costs };
    let result = run(queue, items, workers, &mut |name, event| {
        report.report(name, &event, observer);
        Ok(())
    });
    result.map_err(|error| match error {
        WorkError::Queue(error) => error,
        WorkError::NoWorkers { worker, reason } => ExperimentError::NoWorkers { worker, reason },
    })
}

/// What a worker computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    /// A run, by its number. If it is one of a search, its candidate is chosen.
    Run(usize),
    /// The training of a candidate for an inner fold, for the search of a run.
    Training { run: usize, candidate: usize, fold: usize },
}

/// What a worker has computed.
enum Computed {
    Run(Box<FinishedRun>),
    FinalModel,
    Training(Trained),
}

/// What the threads of workers need.
struct RunQueue {
    experiment: Experiment,
    pretrained: PretrainedModel,
    sampling: Sampling,
    runs: usize,
    examples: EncodedDataset,
    store: ExperimentStore,
    specs: Vec<RunSpec>,
    /// The searches of runs, by the numbers of these.
    races: HashMap<usize, Race>,
    /// When the time of all searches is spent, if it is limited.
    deadline: Option<Instant>,
    plan: Mutex<Plan>,
}

/// What is known to be needed.
#[derive(Default)]
struct Plan {
    /// All items so far, by their numbers.
    items: Vec<Item>,
    /// The seconds of the last training of the search of a run, as far as they can be estimated.
    last_seconds: HashMap<usize, f64>,
}

impl RunQueue {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn item(&self, number: usize) -> Item {
        self.plan().items[number]
    }

    /// The approach of an item, and what is trained on which examples.
    fn spec(&self, item: Item) -> (&str, RunSpec) {
        match item {
            Item::Run(run) => (&self.specs[run].name, self.specs[run].clone()),
            Item::Training { run, candidate, fold } => {
                let race = &self.races[&run];
                (race.candidate(candidate), race.training_spec(candidate, fold))
            }
        }
    }

    /// Adds what the search of a run needs next; returns its costs.
    fn follow(&self, run: usize) -> Result<Vec<f64>, ExperimentError> {
        let race = &self.races[&run];
        let next: Vec<(Item, usize)> = match race.next(&self.store, self.deadline)? {
            Next::Chosen(candidate) => vec![(Item::Run(run), candidate)],
            Next::Trainings { missing, last_seconds } => {
                self.plan().last_seconds.extend(last_seconds.map(|seconds| (run, seconds)));
                let item = |(candidate, fold)| (Item::Training { run, candidate, fold }, candidate);
                missing.into_iter().map(item).collect()
            }
        };
        let mut plan = self.plan();
        let new: Vec<(Item, usize)> = next.into_iter().filter(|(item, _)| !plan.items.contains(item)).collect();
        plan.items.extend(new.iter().map(|(item, _)| *item));
        Ok(new.into_iter().map(|(_, candidate)| race.cost(candidate)).collect())
    }

    /// Passes an event of a worker on.
    fn report(&self, name: &str, event: &QueueEvent<Self>, observer: &mut dyn FnMut(Progress<'_>)) {
        let event = match event {
            rekindle_remote::Event::Ready(description) => WorkerEvent::Ready(description.as_deref()),
            rekindle_remote::Event::Started(number) => {
                let (approach, spec) = self.spec(self.item(*number));
                WorkerEvent::Started(StartedRun { approach, key: spec.key() })
            }
            rekindle_remote::Event::Progress((step, steps)) => WorkerEvent::Progress(RunStep { step, steps: *steps }),
            rekindle_remote::Event::Finished((number, computed)) => {
                let (approach, _) = self.spec(self.item(*number));
                let work = match computed {
                    Computed::Run(run) => DistributedWork::Run(&run.record),
                    Computed::FinalModel => DistributedWork::FinalModel,
                    Computed::Training(trained) => DistributedWork::Training { seconds: trained.seconds },
                };
                WorkerEvent::Finished(DistributedRun { approach, work })
            }
            rekindle_remote::Event::Lost(reason) => WorkerEvent::Lost(reason.as_str()),
            rekindle_remote::Event::GivenUp(reason) => WorkerEvent::GivenUp(reason.as_str()),
        };
        observer(Progress::Worker { name, event });
    }
}

impl WorkQueue for RunQueue {
    type Connection = Devices;
    type Context<'a> = RunContext<'a>;
    /// A step, and the number of steps of the run.
    type Progress = (StepRecord, usize);
    type Output = Computed;
    type Error = ExperimentError;

    fn describe(devices: &Devices) -> Option<String> {
        devices.description()
    }

    fn prepare<'a>(&'a self, devices: &'a Devices) -> Result<RunContext<'a>, Failure<ExperimentError>> {
        let Self { experiment, pretrained, sampling, examples, store, runs, .. } = self;
        let (device, examples) = (&devices.first, examples.clone());
        let mut context = RunContext::on(
            device,
            examples,
            experiment.run_settings(sampling),
            pretrained,
            sampling,
            *runs,
            Some(store),
        )
        .map_err(failure)?;
        context.further = &devices.further;
        Ok(context)
    }

    fn compute(
        &self,
        context: &mut RunContext<'_>,
        number: usize,
        progress: &mut dyn FnMut(Option<Self::Progress>) -> ControlFlow<()>,
    ) -> Result<Computed, Failure<ExperimentError>> {
        let mut steps = 0;
        let mut observe = |event: Progress<'_>| {
            if let Progress::Training(Event::Begin { steps: all, .. }) = event {
                steps = *all;
            }
            match event {
                Progress::Training(Event::Step(step)) => progress(Some((step_record(step), steps))),
                _ => progress(None),
            }
        };
        let computed = match self.item(number) {
            Item::Run(run) => {
                let spec = &self.specs[run];
                let learner = &*self.experiment.approach_of(spec).learner;
                match spec.sample {
                    Some(_) => {
                        context.compute(learner, spec, &mut observe).map(|(run, _)| Computed::Run(Box::new(run)))
                    }
                    None => context.final_model(learner, spec, &mut observe).map(|_| Computed::FinalModel),
                }
            }
            Item::Training { run, candidate, fold } => {
                let race = &self.races[&run];
                let is_late = || is_late(self.deadline, self.plan().last_seconds.get(&run).copied());
                race.compute(candidate, fold, &is_late, context, &mut observe).map(Computed::Training)
            }
        };
        computed.map_err(failure)
    }

    fn record(&self, number: usize, computed: &Computed) -> Result<Vec<f64>, ExperimentError> {
        match (self.item(number), computed) {
            (Item::Run(run), Computed::Run(finished)) => {
                self.store.finish(run, finished)?;
                Ok(Vec::new())
            }
            (Item::Training { run, candidate, fold }, Computed::Training(trained)) => {
                let spec = self.races[&run].training_spec(candidate, fold);
                self.store.finish_trial(&spec, trained)?;
                self.follow(run)
            }
            // A final model is stored where it is trained.
            _ => Ok(Vec::new()),
        }
    }

    fn poisoned(&self, number: usize, reason: String) -> ExperimentError {
        let (approach, _) = self.spec(self.item(number));
        ExperimentError::Poisoned { item: format!("a run of {approach}"), reason }
    }

    fn check_stop(&self) -> Result<(), ExperimentError> {
        self.store.check_stop()
    }

    fn is_stop(error: &ExperimentError) -> bool {
        error.is_interruption()
    }
}

/// Distinguishes a failed device and a cancelled run from errors that every worker would have.
fn failure(error: ExperimentError) -> Failure<ExperimentError> {
    match error {
        ExperimentError::Train { source: TrainError::Device(reason), .. } => Failure::Lost(reason),
        ExperimentError::Train { source: TrainError::Cancelled, .. } => Failure::Cancelled,
        error => Failure::Fatal(error),
    }
}
