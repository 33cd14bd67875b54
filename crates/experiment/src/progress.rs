//! The events of an experiment.

use std::ops::ControlFlow;

use rekindle_checkpoint::LoadReport;
use rekindle_results::{ApproachRecord, RunKey, RunRecord, StepRecord, TrialRecord};
use rekindle_train::Event;

/// Receives the events of one run. `ControlFlow::Break` cancels the run, which then returns
/// [`TrainError::Cancelled`](rekindle_train::TrainError::Cancelled).
pub(crate) type Observer<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// An event of an experiment. Observers draw progress or keep a history; the experiment itself prints nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The weights are loaded.
    Loaded {
        /// The tensors that did not match.
        report: &'a LoadReport,
    },
    /// The runs are known.
    Planned {
        /// All runs of approaches, with the final models. Runs of baselines are not reported.
        runs: usize,
    },
    /// An approach starts.
    Approach {
        /// Its name in results.
        approach: &'a str,
        /// The approach in the grammar of the command line.
        spec: &'a str,
        /// Trainable parameters.
        trainable: usize,
        /// All parameters.
        total: usize,
        /// Number of its runs.
        runs: usize,
    },
    /// A run starts.
    RunStarted {
        /// Seed, repeat, fold and size.
        key: RunKey,
    },
    /// Masked language modelling on the training texts, before the current run.
    Pretraining(&'a Event),
    /// Training in the current run.
    Training(&'a Event),
    /// A search has trained a candidate for the inner folds of a rung.
    Trial(TrialStep<'a>),
    /// The time of a search is spent after its first training, so that its candidates are not compared.
    ShortBudget {
        /// The candidate that was trained, in the grammar of the command line.
        approach: &'a str,
        /// The seconds of its training.
        seconds: f64,
        /// A budget in seconds with which each search has time for such a training and the one on all examples.
        enough: f64,
    },
    /// The current run is trained on inner folds, to predict its own training examples.
    InnerFold {
        /// The fold that is held out, from 1.
        fold: usize,
        /// All inner folds.
        folds: usize,
    },
    /// A run is finished.
    RunFinished(&'a RunRecord),
    /// A run was finished before the experiment was interrupted.
    RunRestored(&'a RunRecord),
    /// The runs are distributed over workers.
    Distributed {
        /// The names of the workers.
        workers: &'a [String],
        /// Runs that were finished before the experiment was interrupted.
        done: usize,
        /// All runs.
        runs: usize,
    },
    /// An event of a worker. When all runs of a distributed experiment are finished, each is reported as restored.
    Worker {
        /// The name of the worker.
        name: &'a str,
        /// The event.
        event: WorkerEvent<'a>,
    },
    /// The model to keep is trained on all examples, because no fold does so.
    FinalModel,
    /// An approach is finished.
    ApproachFinished(&'a ApproachRecord),
    /// A baseline is finished.
    Baseline(&'a ApproachRecord),
}

/// A candidate that a search has trained for the inner folds of a rung.
#[derive(Clone, Copy, Debug)]
pub struct TrialStep<'a> {
    /// The candidate with its scores so far.
    pub trial: &'a TrialRecord,
    /// Its number in the rung, from 1.
    pub number: usize,
    /// The candidates of the rung.
    pub of: usize,
    /// The rung, from 1.
    pub rung: usize,
    /// All rungs.
    pub rungs: usize,
}

/// An event of a worker.
pub type WorkerEvent<'a> = rekindle_remote::Event<StartedRun<'a>, RunStep<'a>, DistributedRun<'a>, &'a str>;

/// A run that a worker starts, or a training of a search.
#[derive(Clone, Copy, Debug)]
pub struct StartedRun<'a> {
    /// The name of the approach; of a search, the candidate in the grammar of the command line.
    pub approach: &'a str,
    /// Seed, repeat, fold and size.
    pub key: RunKey,
}

/// A step that a worker has taken.
#[derive(Clone, Copy, Debug)]
pub struct RunStep<'a> {
    /// The step.
    pub step: &'a StepRecord,
    /// Steps of the run.
    pub steps: usize,
}

/// What a worker has finished.
#[derive(Clone, Copy, Debug)]
pub struct DistributedRun<'a> {
    /// The name of the approach; of a search, the candidate in the grammar of the command line.
    pub approach: &'a str,
    /// The work.
    pub work: DistributedWork<'a>,
}

/// The work of a worker.
#[derive(Clone, Copy, Debug)]
pub enum DistributedWork<'a> {
    /// A run.
    Run(&'a RunRecord),
    /// The training of a final model.
    FinalModel,
    /// The training of a candidate for an inner fold of a search, which is not a run of its own.
    Training {
        /// The time of the training.
        seconds: f64,
    },
}
