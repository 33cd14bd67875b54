//! `quantization_config` of `config.json`: which weights are stored in int8, as the library compressed-tensors describes it.

use serde_json::{Map, Value, json};

use crate::config::ConfigFile;
use crate::error::CheckpointError;

/// The field of `config.json`.
pub const QUANTIZATION: &str = "quantization_config";
const METHOD: &str = "compressed-tensors";
const FORMAT: &str = "int-quantized";

/// Fields of weights and of inputs, with the values that can be read. A field that is absent has the default of compressed-tensors.
type Expected = [(&'static str, Value, Value)];

/// Returns the `quantization_config` of a model whose linear layers have weights in int8 with a scale per output and inputs that are
/// quantized per token when a layer computes, except for the modules `ignore`.
pub fn quantization_config(ignore: &[String]) -> Value {
    let arguments = |dynamic: bool, strategy: &str, symmetric: bool| json!({ "num_bits": 8, "type": "int", "symmetric": symmetric, "strategy": strategy, "dynamic": dynamic });
    json!({
        "quant_method": METHOD,
        "format": FORMAT,
        "quantization_status": "compressed",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": arguments(false, "channel", true),
                "input_activations": arguments(true, "token", false),
            },
        },
        "ignore": ignore,
    })
}

impl ConfigFile {
    /// Checks that a `quantization_config` is one whose weights can be read: int8 with a scale per output, and inputs that are
    /// quantized per token when a layer computes.
    ///
    /// # Errors
    /// When it is another one.
    pub fn check_quantization(&self) -> Result<(), CheckpointError> {
        match self.fields.get(QUANTIZATION).filter(|value| !value.is_null()) {
            Some(Value::Object(fields)) => check(fields).map_err(|reason| self.refuse(QUANTIZATION, reason)),
            Some(other) => Err(self.refuse(QUANTIZATION, format!("{other} is not an object"))),
            None => Ok(()),
        }
    }
}

fn check(fields: &Map<String, Value>) -> Result<(), String> {
    let method = fields.get("quant_method").unwrap_or(&Value::Null);
    if method != METHOD {
        let reason = "is not supported; only weights in int8 by `compressed-tensors` are read. Use the model before it was quantized";
        return Err(format!("quant_method {method} {reason}"));
    }
    check_format(fields, "")?;
    for field in ["kv_cache_scheme", "sparsity_config", "transform_config"] {
        let is_empty = |value: &Value| match value {
            Value::Object(fields) => fields.is_empty() || fields.get("format").is_some_and(|format| format == "dense"),
            value => value.is_null(),
        };
        if fields.get(field).is_some_and(|value| !is_empty(value)) {
            return Err(format!("`{field}` is not supported"));
        }
    }
    let Some(Value::Object(groups)) = fields.get("config_groups").filter(|groups| **groups != json!({})) else {
        return Err("`config_groups` is missing".into());
    };
    for (name, group) in groups {
        let Value::Object(group) = group else {
            return Err(format!("`{name}`: {group} is not supported; an object is"));
        };
        check_format(group, &format!("`{name}`: "))?;
        let int8 = |field: &'static str, default: Value, only: Value| (field, default, only);
        let weights = [
            int8("num_bits", json!(8), json!(8)),
            int8("type", json!("int"), json!("int")),
            int8("strategy", json!("tensor"), json!("channel")),
            int8("symmetric", json!(true), json!(true)),
            int8("dynamic", json!(false), json!(false)),
            int8("group_size", Value::Null, Value::Null),
            int8("block_structure", Value::Null, Value::Null),
            int8("actorder", Value::Null, Value::Null),
        ];
        check_arguments(group, name, "weights", &weights)?;
        let inputs = [
            int8("num_bits", json!(8), json!(8)),
            int8("type", json!("int"), json!("int")),
            int8("strategy", json!("tensor"), json!("token")),
            int8("dynamic", json!(false), json!(true)),
        ];
        check_arguments(group, name, "input_activations", &inputs)?;
        if group.get("output_activations").is_some_and(|value| !value.is_null()) {
            return Err(format!("`{name}.output_activations` is not supported; null is"));
        }
    }
    Ok(())
}

fn check_format(fields: &Map<String, Value>, place: &str) -> Result<(), String> {
    match fields.get("format").filter(|format| !format.is_null()) {
        Some(format) if format != FORMAT => Err(format!("{place}format {format} is not supported; {FORMAT} is")),
        _ => Ok(()),
    }
}

fn check_arguments(group: &Map<String, Value>, name: &str, field: &str, expected: &Expected) -> Result<(), String> {
    let Some(Value::Object(arguments)) = group.get(field) else {
        return Err(format!("`{name}.{field}` is missing; 8 bits are supported"));
    };
    for (argument, default, only) in expected {
        let value = arguments.get(*argument).unwrap_or(default);
        if value != only {
            return Err(format!("`{name}.{field}.{argument}`: {value} is not supported; {only} is"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn checked(config: &Value) -> Result<(), String> {
        let json = json!({ QUANTIZATION: config }).to_string();
        let file = ConfigFile::parse(json.as_bytes(), Path::new("config.json")).expect("JSON");
        file.check_quantization().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_and_null_is_no_quantization() {
        assert_eq!(checked(&quantization_config(&["classifier".into()])), Ok(()));
        assert_eq!(checked(&Value::Null), Ok(()));
    }

    #[test]
    fn other_quantizations_are_named() {
        for (pointer, value, named) in [
            ("/quant_method", json!("gptq"), "quant_method \"gptq\" is not supported"),
            ("/quant_method", json!("bitsandbytes"), "quant_method \"bitsandbytes\" is not supported"),
            ("/quant_method", Value::Null, "quant_method null"),
            ("/format", json!("pack-quantized"), "format \"pack-quantized\" is not supported; int-quantized is"),
            ("/config_groups", json!({}), "`config_groups` is missing"),
            ("/config_groups/group_0", json!(["Linear"]), "`group_0`: [\"Linear\"] is not supported; an object is"),
            (
                "/config_groups/group_0/weights/num_bits",
                json!(4),
                "`group_0.weights.num_bits`: 4 is not supported; 8 is",
            ),
            ("/config_groups/group_0/weights/type", json!("float"), "`group_0.weights.type`: \"float\""),
            ("/config_groups/group_0/weights/strategy", json!("group"), "`group_0.weights.strategy`: \"group\""),
            ("/config_groups/group_0/weights/symmetric", json!(false), "`group_0.weights.symmetric`: false"),
            ("/config_groups/group_0/weights", Value::Null, "`group_0.weights` is missing"),
            ("/config_groups/group_0/input_activations", Value::Null, "`group_0.input_activations` is missing"),
            ("/config_groups/group_0/input_activations/dynamic", json!(false), "input_activations.dynamic`: false"),
            ("/config_groups/group_0/input_activations/strategy", json!("tensor"), "strategy`: \"tensor\""),
        ] {
            let mut config = quantization_config(&[]);
            *config.pointer_mut(pointer).expect("a field") = value;
            let error = checked(&config).expect_err(pointer);
            assert!(
                error.starts_with("config.json: field `quantization_config`: ") && error.contains(named),
                "{error}"
            );
        }
        for (field, value) in
            [("kv_cache_scheme", json!({ "num_bits": 8 })), ("sparsity_config", json!({ "format": "marlin-24" }))]
        {
            let mut config = quantization_config(&[]);
            config[field] = value;
            assert!(checked(&config).expect_err(field).contains(&format!("`{field}` is not supported")));
        }
        assert!(checked(&json!("int8")).expect_err("text").contains("\"int8\" is not an object"));
    }
}
