//! The parameters of a model by their names in a checkpoint.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use crate::classifier::DistilBertForSequenceClassification;
use crate::names::Path;

/// A parameter's name, identity and size.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name in a checkpoint, e.g. `distilbert.transformer.layer.5.ffn.lin1.weight`.
    pub name: String,
    /// Its identity in Burn, by which gradients are found.
    pub id: ParamId,
    /// Its number of elements.
    pub size: usize,
    /// Whether it is tracked by autodiff.
    pub trainable: bool,
}

/// All parameters of a model, in the order of the data.
pub fn parameters(model: &impl Module) -> Vec<Parameter> {
    struct Visitor(Path, Vec<Parameter>);
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
    let mut visitor = Visitor(Path::default(), Vec::new());
    model.visit(&mut visitor);
    visitor.1
}

/// The same weights, with just the parameters that `choose` takes by name tracked by autodiff.
///
/// The others are shared with `model`, not copied, and what runs on them alone builds no graph.
pub fn trainable<M: Module>(model: &M, choose: impl Fn(&str) -> bool) -> M {
    struct Mapper<F>(Path, F);
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
    model.clone().map(&mut Mapper(Path::default(), choose))
}

impl DistilBertForSequenceClassification {
    /// All parameters, in the order of the data.
    pub fn parameters(&self) -> Vec<Parameter> {
        parameters(self)
    }

    /// The same weights, with just the parameters that `choose` takes by name tracked by autodiff.
    pub fn trainable(&self, choose: impl Fn(&str) -> bool) -> Self {
        trainable(self, choose)
    }
}
