//! The runs of an experiment, spread over hosts by way of the journal.
//!
//! What hosts make is noted in the journal; the experiment itself then finds it done, as after a break.

use std::sync::Arc;

use burn::tensor::Device;
use rekindle_train::{EncodedDataset, Event, StepRecord, TrainError};

use crate::error::ExperimentError;
use crate::job::Job;
use crate::journal::{Finished, Journal};
use crate::model::PretrainedModel;
use crate::results::RunRecord;
use crate::run::{Experiment, Progress, RunKey};
use crate::sampling::Sampling;
use crate::spread::{Devices, Host, News, Work, spread};
use crate::trial::{Bench, Draw};

/// Where an experiment computes.
#[derive(Debug)]
pub struct Engine<'a> {
    /// Its name, recorded as it is given.
    pub backend: &'a str,
    /// The device that reads the weights and, where there are no hosts, makes all runs.
    pub device: &'a Device,
    /// The hosts that the runs are spread over.
    pub hosts: Vec<Host>,
}

impl<'a> From<(&'a str, &'a Device)> for Engine<'a> {
    /// One device.
    fn from((backend, device): (&'a str, &'a Device)) -> Self {
        Self { backend, device, hosts: Vec::new() }
    }
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
    Step {
        /// The step.
        step: &'a StepRecord,
        /// Steps in the run.
        steps: usize,
    },
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

/// Makes all runs that the journal does not have yet on `hosts`.
pub(crate) fn make_runs(
    bench: &Bench<'_>,
    journal: &Journal,
    jobs: &[Job],
    hosts: Vec<Host>,
    observer: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ExperimentError> {
    let is_settled = |job: &Job| match job.sample {
        Some(_) => Ok(journal.finished(job.number)?.is_some()),
        None => Ok(bench.kept_model(job.approach(bench.experiment))?.is_some()),
    };
    let settled = jobs.iter().map(is_settled).collect::<Result<Vec<bool>, ExperimentError>>()?;
    let costs = jobs.iter().map(|job| cost(bench, job)).collect::<Result<Vec<f64>, ExperimentError>>()?;
    let names: Vec<String> = hosts.iter().map(|host| host.name.clone()).collect();
    let done = settled.iter().filter(|&&settled| settled).count();
    observer(Progress::Spread { hosts: &names, done, runs: jobs.len() });
    let runs = Arc::new(Runs {
        experiment: bench.experiment.clone(),
        pretrained: bench.pretrained.clone(),
        sampling: bench.sampling.clone(),
        sentences: bench.sentences.clone(),
        journal: journal.share(),
        jobs: jobs.to_vec(),
    });
    let watched = Arc::clone(&runs);
    spread(runs, costs, settled, hosts, &mut |name, news| watched.tell(name, &news, observer))
}

/// In sentences read, roughly: a frozen base is only read forward.
fn cost(bench: &Bench<'_>, job: &Job) -> Result<f64, ExperimentError> {
    let (approach, arguments) = (job.approach(bench.experiment), &bench.experiment.arguments);
    let (plan, ..) = bench.plan(approach)?;
    let passes = if plan.freezes_base() { 1 } else { 3 };
    Ok((job.size * (passes * arguments.num_train_epochs + 3 * approach.pretrain_epochs)) as f64)
}

/// All that a run needs, for the threads of hosts.
struct Runs {
    experiment: Experiment,
    pretrained: PretrainedModel,
    sampling: Sampling,
    sentences: EncodedDataset,
    journal: Journal,
    jobs: Vec<Job>,
}

impl Runs {
    fn name(&self, number: usize) -> &str {
        &self.jobs[number].approach(&self.experiment).name
    }

    fn tell(
        &self,
        name: &str,
        news: &News<Self>,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), ExperimentError> {
        let news = match news {
            News::Ready => HostNews::Ready,
            &News::Begins(number) => {
                let job = &self.jobs[number];
                let (sample, train) = job.rows(&self.experiment, &self.sampling)?;
                let draw = Draw { sample: &sample, train: &train, seed: job.seed, number };
                HostNews::Begins { approach: self.name(number), key: draw.key() }
            }
            News::Step((step, steps)) => HostNews::Step { step, steps: *steps },
            News::Done(number, made) => {
                HostNews::Done { approach: self.name(*number), record: made.as_ref().map(|made| &made.record) }
            }
            News::Lost(reason) => HostNews::Lost { reason },
            News::GivenUp(reason) => HostNews::GivenUp { reason },
        };
        observer(Progress::Host { name, news });
        Ok(())
    }
}

impl Work for Runs {
    type Bench<'a> = Bench<'a>;
    /// And how many steps the run has.
    type Step = (StepRecord, usize);
    /// Nothing of a model that is trained to be kept.
    type Made = Option<Finished>;

    fn bench<'a>(&'a self, devices: &'a Devices) -> Result<Bench<'a>, ExperimentError> {
        let Self { experiment, pretrained, sampling, sentences, journal, .. } = self;
        let mut bench = Bench::on(&devices.first, sentences.clone(), experiment, pretrained, sampling, Some(journal))?;
        bench.further = &devices.further;
        Ok(bench)
    }

    fn make(
        &self,
        bench: &mut Bench<'_>,
        number: usize,
        tell: &mut dyn FnMut(Option<Self::Step>),
    ) -> Result<Option<Finished>, ExperimentError> {
        let job = &self.jobs[number];
        let approach = job.approach(&self.experiment);
        let (plan, ..) = bench.plan(approach)?;
        let (sample, train) = job.rows(&self.experiment, &self.sampling)?;
        let draw = Draw { sample: &sample, train: &train, seed: job.seed, number };
        let mut steps = 0;
        let mut observe = |progress: Progress<'_>| {
            if let Progress::Training(Event::Begin { steps: all, .. }) = progress {
                steps = *all;
            }
            match progress {
                Progress::Training(Event::Step(step)) => tell(Some((step.clone(), steps))),
                _ => tell(None),
            }
        };
        match job.sample {
            Some(_) => {
                let trial = bench.perform(approach, &plan, draw, job.keeps, &mut observe)?;
                Ok(Some(Finished { record: trial.record, logits: trial.evaluation.logits }))
            }
            None => {
                let trained = bench.train(approach, &plan, draw, &mut observe)?;
                bench.keep_model(approach, trained.model)?;
                Ok(None)
            }
        }
    }

    fn settle(&self, number: usize, made: &Option<Finished>) -> Result<(), ExperimentError> {
        made.as_ref().map_or(Ok(()), |finished| self.journal.finish(number, finished))
    }

    fn hopeless(&self, number: usize, reason: String) -> ExperimentError {
        ExperimentError::Train { approach: self.name(number).into(), source: TrainError::Device(reason) }
    }

    fn check_stop(&self) -> Result<(), ExperimentError> {
        self.journal.check_stop()
    }
}
