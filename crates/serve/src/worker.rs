//! The inference thread: forms batches from what waits, and computes them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use rekindle_infer::EncodedTexts;

use crate::event::Event;
use crate::metrics::Metrics;
use crate::models::Loaded;
use crate::queue::Job;

/// Computes the jobs of a queue until its sending side is dropped and all jobs are answered.
///
/// The thread never waits for a batch to fill: it takes what is there, so that a lone request is not delayed, and batches grow
/// with the load. Texts are taken in the order of their arrival, but those of other models than the first wait for the
/// next batch.
pub(crate) struct Worker {
    pub jobs: Receiver<Job>,
    pub max_tokens: usize,
    pub metrics: Arc<Metrics>,
    pub on_event: Arc<dyn Fn(Event) + Send + Sync>,
}

/// The texts of a batch: for each job, by its place among those that wait, the number of its next texts.
type Plan = Vec<(usize, usize)>;

impl Worker {
    pub fn run(self) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Ok(job) = self.jobs.recv() else { return };
                waiting.push_back(job);
            }
            waiting.extend(self.jobs.try_iter());
            waiting.retain(|job: &Job| !job.is_cancelled());
            if let Some(first) = waiting.front() {
                let model = Arc::clone(&first.model);
                let plan = plan(&waiting, self.max_tokens);
                self.compute(&model, &plan, &mut waiting);
            }
        }
    }

    /// Computes a batch, and answers the jobs that it completes.
    fn compute(&self, model: &Loaded, plan: &Plan, waiting: &mut VecDeque<Job>) {
        let began = Instant::now();
        let first = plan.iter().filter(|&&(job, _)| waiting[job].done == 0);
        first.for_each(|&(job, _)| self.metrics.waited(began - waiting[job].queued));
        let batch = EncodedTexts::concat(plan.iter().flat_map(|&(job, count)| {
            let job = &mut waiting[job];
            job.texts[job.done..][..count].iter_mut().map(std::mem::take).collect::<Vec<_>>()
        }));
        let (texts, tokens) = (batch.windows.counts().len(), batch.tokens());
        // A panic is a bug, which must not keep all other requests waiting forever.
        let logits = catch_unwind(AssertUnwindSafe(|| model.classifier.logits(&batch, batch.input_ids.len())));
        self.metrics.batch(texts, tokens, began.elapsed());
        match logits {
            Ok(Ok(logits)) => distribute(&logits, model.classifier.labels().len(), plan, waiting),
            Ok(Err(error)) => self.fail(model, &error.to_string(), plan, waiting),
            Err(_) => self.fail(model, "the program has a bug in the computation of this batch", plan, waiting),
        }
    }

    /// Answers all jobs of a batch with an error.
    fn fail(&self, model: &Loaded, reason: &str, plan: &Plan, waiting: &mut VecDeque<Job>) {
        (self.on_event)(Event::BatchFailed { model: model.name.clone(), reason: reason.into() });
        let reason: Arc<str> = reason.into();
        for job in plan.iter().rev().filter_map(|&(job, _)| waiting.remove(job)) {
            job.complete(Err(Arc::clone(&reason)));
        }
    }
}

/// Chooses the texts of the next batch: those of the first job's model, in their order, up to a number of tokens.
fn plan(waiting: &VecDeque<Job>, max_tokens: usize) -> Plan {
    let (mut plan, mut tokens) = (Plan::new(), 0);
    let Some(first) = waiting.front() else { return plan };
    for (index, job) in waiting.iter().enumerate().filter(|(_, job)| Arc::ptr_eq(&job.model, &first.model)) {
        let texts = &job.texts[job.done..];
        let fits = |text: &&EncodedTexts| {
            let before = tokens;
            tokens += text.tokens();
            before == 0 || tokens <= max_tokens
        };
        let count = texts.iter().take_while(fits).count();
        if count > 0 {
            plan.push((index, count));
        }
        if count < texts.len() {
            break;
        }
    }
    plan
}

/// Appends the logits of a batch to its jobs, and answers the jobs that are complete.
fn distribute(logits: &[f32], labels: usize, plan: &Plan, waiting: &mut VecDeque<Job>) {
    let mut rest = logits;
    for &(index, count) in plan {
        let (own, others) = rest.split_at(count * labels);
        let job = &mut waiting[index];
        job.logits.extend_from_slice(own);
        job.done += count;
        rest = others;
    }
    for &(index, _) in plan.iter().rev() {
        if waiting[index].is_complete()
            && let Some(job) = waiting.remove(index)
        {
            job.complete(Ok(()));
        }
    }
}
