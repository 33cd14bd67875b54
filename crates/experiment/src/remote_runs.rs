//! The runs of an experiment, distributed over workers.
//!
//! Workers record finished runs in the store; the experiment then restores all of them, as after an interruption.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::Device;
use rekindle_infer::PretrainedModel;
use rekindle_remote::{Devices, Failure, Items, QueueEvent, WorkError, WorkQueue, Worker, run};
use rekindle_results::StepRecord;
use rekindle_train::{EncodedDataset, Event, TrainError};

use crate::error::ExperimentError;
use crate::experiment::Experiment;
use crate::experiment_store::{ExperimentStore, FinishedRun};
use crate::history::step_record;
use crate::progress::{DistributedRun, Progress, RunStep, StartedRun, WorkerEvent};
use crate::run_context::RunContext;
use crate::run_spec::RunSpec;
use crate::sampling::Sampling;

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

/// Computes all runs that are not in the store.
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
    let cost = |spec: &RunSpec| experiment.approach_of(spec).learner.cost(context, spec);
    let costs = specs.iter().map(cost).collect();
    let names: Vec<String> = workers.iter().map(|worker| worker.name.clone()).collect();
    let done = recorded.iter().filter(|&&recorded| recorded).count();
    observer(Progress::Distributed { workers: &names, done, runs: specs.len() });
    let queue = Arc::new(RunQueue {
        experiment: experiment.clone(),
        pretrained: context.pretrained.clone(),
        sampling: context.sampling.clone(),
        runs: context.runs,
        examples: context.examples.clone(),
        store: store.share(),
        specs: specs.to_vec(),
    });
    let report = Arc::clone(&queue);
    let result = run(queue, Items { costs, recorded }, workers, &mut |name, event| {
        report.report(name, &event, observer);
        Ok(())
    });
    result.map_err(|error| match error {
        WorkError::Queue(error) => error,
        WorkError::NoWorkers { worker, reason } => ExperimentError::NoWorkers { worker, reason },
    })
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
}

impl RunQueue {
    fn name(&self, item: usize) -> &str {
        &self.specs[item].name
    }

    /// Passes an event of a worker on.
    fn report(&self, name: &str, event: &QueueEvent<Self>, observer: &mut dyn FnMut(Progress<'_>)) {
        let event = match event {
            rekindle_remote::Event::Ready(description) => WorkerEvent::Ready(description.as_deref()),
            rekindle_remote::Event::Started(item) => {
                WorkerEvent::Started(StartedRun { approach: self.name(*item), key: self.specs[*item].key() })
            }
            rekindle_remote::Event::Progress((step, steps)) => WorkerEvent::Progress(RunStep { step, steps: *steps }),
            rekindle_remote::Event::Finished((item, run)) => {
                let record = run.as_ref().map(|run| &run.record);
                WorkerEvent::Finished(DistributedRun { approach: self.name(*item), record })
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
    /// Absent for a final model.
    type Output = Option<FinishedRun>;
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
        item: usize,
        progress: &mut dyn FnMut(Option<Self::Progress>) -> ControlFlow<()>,
    ) -> Result<Option<FinishedRun>, Failure<ExperimentError>> {
        let spec = &self.specs[item];
        let learner = &*self.experiment.approach_of(spec).learner;
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
        match spec.sample {
            Some(_) => context.compute(learner, spec, &mut observe).map(|(run, _)| Some(run)).map_err(failure),
            None => context.final_model(learner, spec, &mut observe).map(|_| None).map_err(failure),
        }
    }

    fn record(&self, item: usize, run: &Option<FinishedRun>) -> Result<(), ExperimentError> {
        run.as_ref().map_or(Ok(()), |run| self.store.finish(item, run))
    }

    fn poisoned(&self, item: usize, reason: String) -> ExperimentError {
        ExperimentError::Poisoned { item: format!("a run of {}", self.name(item)), reason }
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
