//! A checkpoint into a module, with a report of what did not match.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};

use crate::checkpoint::Checkpoint;
use crate::error::CheckpointError;
use crate::layout::Layout;
use crate::path::ParamPath;
use crate::renamed::Renamed;

/// The tensors that did not match when a model was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// In the checkpoint but not in the model: ignored. Named as in the file.
    pub unexpected: Vec<String>,
    /// In the model but not in the checkpoint: initialized from the seed.
    pub missing: Vec<String>,
    /// In both with different shapes, in the head: initialized from the seed.
    pub mismatched: Vec<Mismatch>,
    /// How the rows of a trained head were matched with the classes; `None` if they are the same, or there is no such head.
    pub classes: Option<ClassMatch>,
}

/// How the rows of a trained head, one per class, were matched with the classes of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassMatch {
    /// Each class has the row of its name, the case aside.
    ByName {
        /// Classes of the head that the data set does not have.
        unused: Vec<String>,
    },
    /// No name is the same: the rows keep their order.
    ByPosition {
        /// The classes of the head.
        head: Vec<String>,
    },
    /// Some classes have the row of their name; the rows of the others are initialized from the seed.
    Partly {
        /// Classes of the data set that the head does not have.
        unknown: Vec<String>,
        /// The classes of the head.
        head: Vec<String>,
        /// The parameters that have a row per class.
        parameters: Vec<String>,
    },
}

impl LoadReport {
    /// Whether a parameter, or some of its rows, were initialized from the seed.
    fn is_initialized(&self, name: &str) -> bool {
        let by_rows = match &self.classes {
            Some(ClassMatch::Partly { parameters, .. }) => parameters.as_slice(),
            _ => &[],
        };
        by_rows.iter().any(|parameter| parameter == name)
            || self.missing.iter().any(|missing| missing == name)
            || self.mismatched.iter().any(|mismatch| mismatch.parameter == name)
    }
}

/// A tensor of the head whose shape differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The name in the file.
    pub name: String,
    /// The name of the parameter.
    pub parameter: String,
    /// The shape in the checkpoint.
    pub checkpoint: Vec<usize>,
    /// The shape in the model, as a checkpoint would store it.
    pub model: Vec<usize>,
}

/// A parameter whose values are to be initialized.
#[derive(Clone, Debug)]
pub struct ParamSpec {
    /// The name, e.g. `classifier.weight`.
    pub name: String,
    /// The shape, as a checkpoint stores it: `[out, in]` for the weight of a linear layer.
    pub shape: Vec<usize>,
    /// Its id in Burn.
    pub(crate) id: ParamId,
    /// Whether this is the weight of a linear layer.
    pub(crate) is_linear_weight: bool,
    /// Whether the model holds the transpose of what a checkpoint stores.
    transposed: bool,
}

impl ParamSpec {
    /// Whether this is the weight of a linear layer that has none in f32.
    fn is_in_int8(&self) -> bool {
        self.is_linear_weight && self.shape.contains(&0)
    }

    /// The parameters of a model, in the order of the data.
    pub(crate) fn all(model: &impl Module) -> Vec<Self> {
        struct Visitor(ParamPath, Vec<ParamSpec>);
        impl ModuleVisitor for Visitor {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.0.enter(name, container);
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.0.exit();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let transposed = self.0.is_transposed();
                let mut shape = param.lazy_shape().to_vec();
                if transposed {
                    shape.reverse();
                }
                let (name, is_linear_weight) = (self.0.name(), self.0.is_linear_weight());
                self.1.push(ParamSpec { name, shape, id: param.id, is_linear_weight, transposed });
            }
        }
        let mut visitor = Visitor(ParamPath::default(), Vec::new());
        model.visit(&mut visitor);
        visitor.1
    }
}

impl Checkpoint {
    /// Fills a model with the tensors of this checkpoint.
    ///
    /// A parameter of the head that the checkpoint lacks, or stores in another shape, gets the values that `initialize`
    /// returns, in the order of the model's memory. From an [empty](Self::empty) checkpoint, all parameters do. The weight of a linear
    /// layer that has no inputs must be in the checkpoint, and is not read: that of a layer in int8.
    ///
    /// # Errors
    /// When a tensor of the encoder is missing or of another shape, tensors that the layout ties differ, or one cannot be
    /// read.
    pub fn load<M: Module>(
        &self,
        model: M,
        layout: &Layout,
        initialize: &(dyn Fn(&ParamSpec) -> Vec<f32> + Sync),
        device: &Device,
    ) -> Result<(M, LoadReport), CheckpointError> {
        let specs = ParamSpec::all(&model);
        let tensors = Renamed::new(self, layout)?;
        check_tied(&tensors, layout)?;
        let report = compare(&specs, &tensors, layout)?;
        let values = parallel(&specs, |spec| match report.is_initialized(&spec.name) {
            _ if spec.is_in_int8() => Ok(None),
            true => Ok(Some(Bytes::from_elems(initialize(spec)))),
            false => tensors.read(&spec.name, spec.transposed),
        })?;
        self.release();
        let names = specs.into_iter().map(|spec| spec.name);
        let values = names.zip(values).filter_map(|(name, values)| Some((name, values?))).collect();
        Ok((model.map(&mut Fill { path: ParamPath::default(), values, device }), report))
    }
}

/// The same model with the parameters that a load initialized initialized anew. All others are shared.
pub fn reinitialize<M: Module>(model: &M, report: &LoadReport, initialize: impl Fn(&ParamSpec) -> Vec<f32>) -> M {
    let specs = ParamSpec::all(model).into_iter().filter(|spec| report.is_initialized(&spec.name));
    let values = specs.map(|spec| (spec.name.clone(), Bytes::from_elems(initialize(&spec)))).collect();
    let device = model.devices().into_iter().next().unwrap_or_default().without_autodiff();
    model.clone().map(&mut Fill { path: ParamPath::default(), values, device: &device })
}

/// A tensor that the model ties to a parameter must be equal to it.
fn check_tied(tensors: &Renamed<'_>, layout: &Layout) -> Result<(), CheckpointError> {
    for (tensor, shared) in layout.tied {
        let is_same = || {
            let same_shape = tensors.shape(tensor) == tensors.shape(shared);
            Ok::<_, CheckpointError>(same_shape && tensors.read(tensor, false)? == tensors.read(shared, false)?)
        };
        if tensors.shape(tensor).is_some() && !is_same()? {
            let path = tensors.path_of(tensor);
            return Err(CheckpointError::Untied { path, tensor: tensor.to_string(), shared: shared.to_string() });
        }
    }
    Ok(())
}

fn compare(specs: &[ParamSpec], tensors: &Renamed<'_>, layout: &Layout) -> Result<LoadReport, CheckpointError> {
    let mut report = LoadReport::default();
    for spec in specs {
        let ParamSpec { name, shape: expected, .. } = spec;
        let Some((in_file, found)) = tensors.in_file(name).zip(tensors.shape(name)) else {
            report.missing.push(name.clone());
            continue;
        };
        if found == expected || spec.is_in_int8() {
            continue;
        }
        let (tensor, found, expected) = (in_file.to_string(), found.to_vec(), expected.clone());
        if layout.is_encoder(name) {
            return Err(CheckpointError::Shape { path: tensors.path_of(name), tensor, found, expected });
        }
        let parameter = name.clone();
        report.mismatched.push(Mismatch { name: tensor, parameter, checkpoint: found, model: expected });
    }
    let is_known = |name: &str| {
        layout.ignores(name)
            || layout.tied.iter().any(|(tensor, _)| *tensor == name)
            || specs.iter().any(|spec| spec.name == name)
    };
    let unexpected = tensors.names().filter(|name| !is_known(name)).filter_map(|name| tensors.in_file(name));
    report.unexpected = unexpected.map(String::from).collect();
    let absent: Vec<String> = report.missing.iter().filter(|name| layout.is_encoder(name)).cloned().collect();
    if tensors.names().next().is_none() || absent.is_empty() {
        return Ok(report);
    }
    let path = tensors.path_of("");
    Err(match tensors.names().any(|name| layout.is_encoder(name)) {
        true => CheckpointError::Incomplete { path, tensors: absent },
        false => CheckpointError::OtherModel { path, expected: layout.example.into() },
    })
}

/// Runs `work` on every item, on all cores, and returns the results in order.
fn parallel<T: Sync, R: Send, E: Send>(items: &[T], work: impl Fn(&T) -> Result<R, E> + Sync) -> Result<Vec<R>, E> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(done) };
            done.push((index, work(item)?));
        }
    };
    let parts: Vec<Result<Vec<(usize, R)>, E>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mine = worker();
        let joined = handles.into_iter().map(|handle| match handle.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(mine).chain(joined.collect::<Vec<_>>()).collect()
    });
    let mut done: Vec<(usize, R)> = parts.into_iter().collect::<Result<Vec<_>, E>>()?.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Replaces the values of parameters, by name.
struct Fill<'a> {
    path: ParamPath,
    values: HashMap<String, Bytes>,
    device: &'a Device,
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        match self.values.remove(&self.path.name()) {
            Some(values) => {
                let data = TensorData::from_bytes(values, shape, DType::F32);
                Param::initialized(param.id, Tensor::from_data(data, self.device))
            }
            None => param,
        }
    }
}
