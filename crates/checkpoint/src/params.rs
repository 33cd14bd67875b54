//! The parameters of a module by their names in a checkpoint.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::error::CheckpointError;
use crate::load::ParamSpec;
use crate::path::ParamPath;

/// A parameter's name, identity and size.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name in a checkpoint, e.g. `distilbert.transformer.layer.5.ffn.lin1.weight`.
    pub name: String,
    /// Its id in Burn, by which gradients are found.
    pub id: ParamId,
    /// Its number of elements.
    pub size: usize,
    /// Whether it is tracked by autodiff.
    pub trainable: bool,
}

/// All parameters of a module, in the order of the data.
pub fn parameters(model: &impl Module) -> Vec<Parameter> {
    struct Visitor(ParamPath, Vec<Parameter>);
    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let size = value.shape().num_elements();
            self.1.push(Parameter { name: self.0.name(), id: param.id, size, trainable: value.is_require_grad() });
        }
    }
    let mut visitor = Visitor(ParamPath::default(), Vec::new());
    model.visit(&mut visitor);
    visitor.1
}

/// The weights of the linear layers of a module, by their ids and names, in the order of the data. They need not exist in memory yet.
pub fn linear_weights(model: &impl Module) -> Vec<(ParamId, String)> {
    ParamSpec::all(model).into_iter().filter(|spec| spec.is_linear_weight).map(|spec| (spec.id, spec.name)).collect()
}

/// The same weights, with autodiff tracking only the parameters whose names `choose` accepts.
///
/// Other parameters are shared with `model` and not copied; operations on them alone build no graph.
pub fn trainable<M: Module>(model: &M, choose: impl Fn(&str) -> bool) -> M {
    struct Mapper<F>(ParamPath, F);
    impl<F: Fn(&str) -> bool> ModuleMapper for Mapper<F> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let plain = param.val().without_autodiff();
            let chosen = (self.1)(&self.0.name());
            Param::initialized(param.id, if chosen { plain.autodiff().require_grad() } else { plain })
        }
    }
    model.clone().map(&mut Mapper(ParamPath::default(), choose))
}

/// The same model, whose parameters are copies in memory. Parameters that are loaded share the mapped file, which must not be
/// written in place as long as they exist.
///
/// # Errors
/// [`CheckpointError::Device`] when the device does not return them.
pub fn copied<M: Module>(model: &M) -> Result<M, CheckpointError> {
    struct Mapper(ParamPath, Result<(), CheckpointError>);
    impl ModuleMapper for Mapper {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let plain = param.val().without_autodiff();
            let (device, shape) = (plain.device(), plain.shape());
            match plain.try_into_data() {
                Ok(data) => {
                    let values: Vec<f32> = data.iter::<f32>().collect();
                    Param::initialized(param.id, Tensor::from_data(TensorData::new(values, shape), &device))
                }
                Err(error) => {
                    self.1 = Err(CheckpointError::Device { tensor: self.0.name(), reason: error.to_string() });
                    param
                }
            }
        }
    }
    let mut mapper = Mapper(ParamPath::default(), Ok(()));
    let model = model.clone().map(&mut mapper);
    mapper.1.map(|()| model)
}

/// The values of the parameters whose names `choose` accepts, row-major in the shape that the module has.
///
/// # Errors
/// [`CheckpointError::Device`] when the device does not return them.
pub fn values(model: &impl Module, choose: impl Fn(&str) -> bool) -> Result<Vec<(String, Vec<f32>)>, CheckpointError> {
    struct Visitor<F>(ParamPath, F, Result<Vec<(String, Vec<f32>)>, CheckpointError>);
    impl<F: Fn(&str) -> bool> ModuleVisitor for Visitor<F> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.0.name();
            let Some(values) = self.2.as_mut().ok().filter(|_| (self.1)(&name)) else { return };
            match param.val().without_autodiff().try_into_data() {
                Ok(data) => values.push((name, data.iter::<f32>().collect())),
                Err(error) => self.2 = Err(CheckpointError::Device { tensor: name, reason: error.to_string() }),
            }
        }
    }
    let mut visitor = Visitor(ParamPath::default(), choose, Ok(Vec::new()));
    model.visit(&mut visitor);
    visitor.2
}

/// The same module with the values that `find` returns for the name and the number of elements of a parameter, in the order of
/// [`values`]. Where it returns none, the parameter is shared with `model`. Autodiff tracks none of them.
///
/// # Errors
/// The first error of `find`.
pub fn with_values<M: Module, E>(
    model: &M,
    find: impl FnMut(&str, usize) -> Result<Option<Vec<f32>>, E>,
) -> Result<M, E> {
    struct Mapper<F, E>(ParamPath, F, Result<(), E>);
    impl<E, F: FnMut(&str, usize) -> Result<Option<Vec<f32>>, E>> ModuleMapper for Mapper<F, E> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let plain = param.val().without_autodiff();
            let shape = plain.shape();
            let found = if self.2.is_ok() { (self.1)(&self.0.name(), shape.num_elements()) } else { Ok(None) };
            let value = match found {
                Ok(Some(values)) => Tensor::from_data(TensorData::new(values, shape), &plain.device()),
                Ok(None) => plain,
                Err(error) => {
                    self.2 = Err(error);
                    plain
                }
            };
            Param::initialized(param.id, value)
        }
    }
    let mut mapper = Mapper(ParamPath::default(), find, Ok(()));
    let model = model.clone().map(&mut mapper);
    mapper.2.map(|()| model)
}
