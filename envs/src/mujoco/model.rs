//! Compiled models, shared by all simulations of a process.

use std::path::Path;
use std::sync::{Arc, Once, OnceLock};

use mujoco_rs::logging::install_logging_hook;
use mujoco_rs::wrappers::MjModel;

use crate::{Error, Result};

/// One of Gymnasium's models, part of the binary.
pub(super) struct Model {
    xml: &'static str,
    compiled: OnceLock<Arc<MjModel>>,
}

macro_rules! models {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: Model = Model {
            xml: include_str!(concat!(env!("STPN_MUJOCO_MODELS"), "/", $file)),
            compiled: OnceLock::new(),
        };)*
    };
}

models! {
    ANT = "ant.xml";
    HALF_CHEETAH = "half_cheetah.xml";
    HOPPER = "hopper.xml";
    HUMANOID = "humanoid.xml";
    INVERTED_DOUBLE_PENDULUM = "inverted_double_pendulum.xml";
    INVERTED_PENDULUM = "inverted_pendulum.xml";
    PUSHER = "pusher_v5.xml";
    REACHER = "reacher.xml";
    SWIMMER = "swimmer.xml";
    WALKER2D = "walker2d_v5.xml";
}

impl Model {
    /// The model itself, or the one in `file`.
    pub fn load(&self, environment: &str, file: Option<&Path>) -> Result<Arc<MjModel>> {
        route_messages();
        let failed = |source: &str, error: &dyn ToString| Error::Simulator {
            environment: environment.into(),
            problem: format!("cannot load the model {source}: {}", error.to_string().trim()),
        };
        if let Some(file) = file {
            let shown = file.display().to_string();
            if !file.is_file() {
                return Err(failed(&shown, &"there is no such file (env.xml_file)"));
            }
            return Ok(Arc::new(MjModel::from_xml(file).map_err(|error| failed(&shown, &error))?));
        }
        if let Some(model) = self.compiled.get() {
            return Ok(Arc::clone(model));
        }
        let model = MjModel::from_xml_string(self.xml).map_err(|error| failed("of this build", &error))?;
        Ok(Arc::clone(self.compiled.get_or_init(|| Arc::new(model))))
    }
}

/// Keeps MuJoCo from writing its warnings to the terminal and to a file in the working folder.
#[allow(unsafe_code, reason = "setting the handler is, while another thread simulates")]
fn route_messages() {
    static ROUTED: Once = Once::new();
    // SAFETY: nothing of MuJoCo runs in this crate before a model is loaded, and none is before this.
    ROUTED.call_once(|| unsafe { install_logging_hook() });
}
