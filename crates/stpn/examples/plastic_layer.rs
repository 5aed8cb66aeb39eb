//! An STPN layer inside a candle model of one's own: which of four symbols came first in a sequence of ten?
//! `cargo run --release -p stpn --example plastic_layer`

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use candle_nn::{Linear, Module, loss};
use stpn::Stream;
use stpn::cells::{Cell, CellName, Initializer, Kernel};

const SYMBOLS: usize = 4;
const STEPS: usize = 10;
const BATCH: usize = 64;

fn main() -> Result<()> {
    let device = Device::Cpu;
    let mut stream = Stream::from_seed(1);

    // A cell is built from its configuration; its parameters are candle variables like any other.
    let mut init = Initializer::new(&mut stream, DType::F32, &device);
    let cell = CellName::Stpn.config().build(SYMBOLS, 24, Kernel::Auto, &mut init).map_err(candle_core::Error::wrap)?;
    // candle_nn::linear would draw from a stream without a seed; ours gives the same numbers in every run.
    let mut draw = |shape: &[usize]| init.uniform(shape, -0.2, 0.2).map_err(candle_core::Error::wrap);
    let weight = Var::from_tensor(&draw(&[SYMBOLS, cell.hidden_size()])?)?;
    let bias = Var::from_tensor(&draw(&[SYMBOLS])?)?;
    let readout = Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone()));
    let trained = cell.parameters().iter().map(|(_, var)| var.clone()).chain([weight, bias]);
    let mut adam = AdamW::new(trained.collect(), ParamsAdamW { lr: 1e-2, weight_decay: 0.0, ..Default::default() })?;

    let mut accuracy = 0.0;
    for step in 0..200 {
        let (x, first) = sequences(&mut stream, &device)?;
        let logits = last(cell.as_ref(), &readout, &x)?;
        adam.backward_step(&loss::cross_entropy(&logits, &first)?)?;
        let right = logits.argmax(1)?.eq(&first)?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
        accuracy = 0.9 * accuracy + 0.1 * right;
        if step % 50 == 49 {
            println!("step {:>3}: accuracy {accuracy:.2}", step + 1);
        }
    }
    assert!(accuracy > 0.9, "the layer did not learn to remember");
    Ok(())
}

/// Logits after the last step of `x` `[T, B, I]`, from the zero state. The gradient flows through all steps.
fn last(cell: &dyn Cell, readout: &Linear, x: &Tensor) -> Result<Tensor> {
    let sequence = cell.zero_state(x.dim(1)?).and_then(|state| cell.sequence(x, None, &state));
    let hidden = sequence.map_err(candle_core::Error::wrap)?.hidden;
    readout.forward(&hidden.get(x.dim(0)? - 1)?)
}

/// One-hot sequences `[T, B, I]` and the first symbol of each, `[B]`.
fn sequences(stream: &mut Stream, device: &Device) -> Result<(Tensor, Tensor)> {
    let symbols: Vec<u32> = (0..STEPS * BATCH).map(|_| stream.below(SYMBOLS) as u32).collect();
    let mut x = vec![0f32; symbols.len() * SYMBOLS];
    symbols.iter().enumerate().for_each(|(n, &symbol)| x[n * SYMBOLS + symbol as usize] = 1.0);
    let first = Tensor::from_slice(&symbols[..BATCH], BATCH, device)?;
    Ok((Tensor::from_vec(x, (STEPS, BATCH, SYMBOLS), device)?, first))
}
