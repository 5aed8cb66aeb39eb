//! What TensorBoard's page of hyperparameters reads: a run's settings where it starts, and that it has ended.
//!
//! Both are bytes of the plugin's own messages (`tensorboard/plugins/hparams/plugin_data.proto`), for which there are
//! no Rust types. There is no list of all settings and metrics of an experiment: without one TensorBoard gathers it
//! from the runs that it shows, whatever these are.

use protobuf::{CodedOutputStream, ProtobufResult};
use tensorboard_proto::summary::{Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;
use toml::Value;

/// Fields of `HParamsPluginData`.
const SESSION_START: u32 = 3;
const SESSION_END: u32 = 4;

/// `STATUS_SUCCESS` of `Status`.
const SUCCESS: i32 = 1;

/// The settings with which a run starts at `time`.
pub fn session_start(settings: &[(String, Value)], time: f64) -> ProtobufResult<Summary_Value> {
    let info = message(|start| {
        for (key, value) in settings {
            let value = message(|out| match value {
                Value::Boolean(value) => out.write_bool(4, *value),
                Value::Integer(value) => out.write_double(2, *value as f64),
                Value::Float(value) => out.write_double(2, *value),
                Value::String(text) => out.write_string(3, text),
                other => out.write_string(3, &other.to_string()),
            })?;
            let entry = message(|out| {
                out.write_string(1, key)?;
                out.write_bytes(2, &value)
            })?;
            start.write_bytes(1, &entry)?;
        }
        start.write_double(5, time)
    })?;
    summary("_hparams_/session_start_info", SESSION_START, &info)
}

/// That a run came to its end at `time`.
pub fn session_end(time: f64) -> ProtobufResult<Summary_Value> {
    let info = message(|out| {
        out.write_enum(1, SUCCESS)?;
        out.write_double(2, time)
    })?;
    summary("_hparams_/session_end_info", SESSION_END, &info)
}

fn summary(tag: &str, field: u32, info: &[u8]) -> ProtobufResult<Summary_Value> {
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name("hparams".to_string());
    plugin.set_content(message(|out| out.write_bytes(field, info))?);
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);
    // The plugin looks at the metadata alone; a summary needs a value all the same.
    let mut dimension = TensorShapeProto_Dim::new();
    dimension.set_size(1);
    let mut shape = TensorShapeProto::new();
    shape.mut_dim().push(dimension);
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_FLOAT);
    tensor.set_tensor_shape(shape);
    tensor.mut_float_val().push(0.0);
    let mut entry = Summary_Value::new();
    entry.set_tag(tag.to_string());
    entry.set_metadata(metadata);
    entry.set_tensor(tensor);
    Ok(entry)
}

fn message(write: impl FnOnce(&mut CodedOutputStream<'_>) -> ProtobufResult<()>) -> ProtobufResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut out = CodedOutputStream::vec(&mut bytes);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    Ok(bytes)
}
