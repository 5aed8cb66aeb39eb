//! What TensorBoard's page of hyperparameters reads: a run's settings where it starts, and that it has ended.
//!
//! There is no list of all settings and metrics of an experiment: without one TensorBoard gathers it from the runs that
//! it shows, whatever these are.

use prost::Message;
use toml::Value;

use super::messages::{
    self, DataType, Dimension, HParamsPluginData, Kind, PluginData, Session, SessionEnd, SessionStart, Setting, Shown,
    Status, SummaryMetadata, SummaryValue, TensorProto, TensorShape,
};

/// The settings with which a run starts at `time`.
pub fn session_start(settings: &[(String, Value)], time: f64) -> SummaryValue {
    let setting = |(key, value): &(String, Value)| {
        let kind = match value {
            Value::Boolean(value) => Kind::Bool(*value),
            Value::Integer(value) => Kind::Number(*value as f64),
            Value::Float(value) => Kind::Number(*value),
            Value::String(text) => Kind::Text(text.clone()),
            other => Kind::Text(other.to_string()),
        };
        Setting { key: key.clone(), value: Some(messages::Value { kind: Some(kind) }) }
    };
    let start = SessionStart { hparams: settings.iter().map(setting).collect(), start_time_secs: time };
    summary("_hparams_/session_start_info", Session::Start(start))
}

/// That a run came to its end at `time`.
pub fn session_end(time: f64) -> SummaryValue {
    let end = SessionEnd { status: Status::Success.into(), end_time_secs: time };
    summary("_hparams_/session_end_info", Session::End(end))
}

fn summary(tag: &str, session: Session) -> SummaryValue {
    let content = HParamsPluginData { data: Some(session) }.encode_to_vec();
    let plugin = PluginData { plugin_name: "hparams".to_string(), content };
    // The plugin looks at the metadata alone; a summary needs a value all the same.
    let tensor = TensorProto {
        dtype: DataType::Float.into(),
        tensor_shape: Some(TensorShape { dim: vec![Dimension { size: 1 }] }),
        float_val: vec![0.0],
        ..TensorProto::default()
    };
    SummaryValue {
        tag: tag.to_string(),
        metadata: Some(SummaryMetadata { plugin_data: Some(plugin) }),
        value: Some(Shown::Tensor(tensor)),
    }
}
