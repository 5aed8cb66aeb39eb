//! Writes the kernels' source for some layers into a folder, as NVRTC gets it: `scripts/cuda_compile.py` compiles them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use stpn_cuda::{
    Extent, Gated, GatedKind, GatedPlan, Layer, Modulated, Modulation, Plan, Plastic, Real, Rule, gated_source,
    general_source, source,
};

/// Shared memory of a block on the smallest of the devices checked (sm_80), in bytes.
const SHARED: usize = 166_912;

const EXTENT: Extent = Extent { steps: 200, batch: 512 };

fn write<T: Real>(folder: &Path, name: &str, layer: &Layer) -> Result<(), Box<dyn Error>> {
    let plan = Plan::new(layer, EXTENT, size_of::<T>(), SHARED)?;
    let file = folder.join(format!("{name}-{}.cu", T::NAME));
    fs::write(&file, source::<T>(layer, &plan.threads))?;
    println!(
        "{name}-{}: {:?}, every {}, slots in shared memory {}, shared bytes {} forward, {} backward",
        T::NAME,
        plan.threads,
        plan.every,
        plan.slots_in_shared,
        plan.shared_len(layer, false) * size_of::<T>(),
        plan.shared_len(layer, true) * size_of::<T>()
    );
    Ok(())
}

fn write_gated<T: Real>(folder: &Path, layer: &Gated) -> Result<(), Box<dyn Error>> {
    let plan = GatedPlan::new(layer, EXTENT, size_of::<T>(), SHARED)?;
    let name = format!("{:?}-{}-{}", layer.kind, layer.hidden, T::NAME).to_lowercase();
    fs::write(folder.join(format!("{name}.cu")), gated_source::<T>(layer, &plan))?;
    let [forward, backward] = [false, true].map(|backward| plan.shared_len(layer, backward) * size_of::<T>());
    println!("{name}: {plan:?}, shared bytes {forward} forward, {backward} backward");
    Ok(())
}

fn write_general<T: Real>(folder: &Path) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(folder.join(format!("general-{}.cu", T::NAME)), general_source::<T>())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: sources FOLDER")?);
    fs::create_dir_all(&folder)?;
    let every_option = Plastic { layer_norm: true, plastic_bias: true, decay_all: true, ..Plastic::maze(17, 55) };
    let layers = [
        ("maze", Layer::Plastic(Plastic::maze(17, 55))),
        ("stpn", Layer::Plastic(Plastic::stpn(17, 55))),
        ("options", Layer::Plastic(every_option)),
        ("hebbff", Layer::Plastic(Plastic::hebbff(25, 100))),
        ("pong", Layer::Plastic(Plastic::stpn(512, 64))),
        ("large", Layer::Plastic(Plastic::stpn(256, 256))),
    ];
    for (name, layer) in layers {
        write::<f32>(&folder, name, &layer)?;
        write::<f64>(&folder, name, &layer)?;
    }
    for (name, modulation) in
        [("constant", Modulation::Constant), ("network", Modulation::Network), ("retroactive", Modulation::Retroactive)]
    {
        let layer = Layer::Modulated(Modulated { input: 17, hidden: 55, modulation, rule: Rule::SoftClamp });
        write::<f32>(&folder, name, &layer)?;
    }
    for (kind, hidden) in [
        (GatedKind::Lstm, 48),
        (GatedKind::Lstm, 256),
        (GatedKind::Gru, 55),
        (GatedKind::Rnn, 64),
        (GatedKind::Rnn, 300),
    ] {
        let layer = Gated::new(kind, 17, hidden);
        write_gated::<f32>(&folder, &layer)?;
        write_gated::<f64>(&folder, &layer)?;
    }
    write_general::<f32>(&folder)?;
    write_general::<f64>(&folder)
}
