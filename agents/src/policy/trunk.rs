//! A trunk: what lies between observations and heads.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use stpn_core::kernels::{Extent, FusedKernel, Prepared, Stepper, Tape};
use stpn_core::{Cell, CellConfig, Initializer, Kernel, Parameters, State, StateField};
use stpn_envs::Space;

use super::composed::ComposedStepper;
use super::element::Element;
use super::encoder::{Encoder, EncoderConfig, EncoderTape, ObservationRef, PreparedEncoder};
use super::initialization::Initialization;
use super::inputs::Inputs;
use crate::Result;

/// Scalars from which on laying out parameters is worth another thread.
const WORTH_A_THREAD: usize = 1 << 16;

/// What a trunk is made from: sections of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct TrunkConfig<'c> {
    /// Units of the recurrent layer.
    pub hidden: usize,
    /// Which path sequences take.
    pub kernel: Kernel,
    /// How the encoder's weights begin.
    pub initialization: Initialization,
    /// From observations to features.
    pub encoder: &'c EncoderConfig,
    /// Factor on features, which are then the recurrent layer's input.
    pub input_scale: f64,
    /// The recurrent layer.
    pub cell: &'c CellConfig,
}

/// An encoder and a recurrent layer.
#[derive(Debug)]
pub struct Trunk {
    encoder: Encoder,
    input_scale: f64,
    cell: Box<dyn Cell>,
    parameters: Parameters,
}

impl Trunk {
    /// A freshly initialised trunk.
    ///
    /// # Errors
    /// Fails on an impossible configuration.
    pub fn new(config: TrunkConfig<'_>, observations: &Space, init: &mut Initializer<'_>) -> Result<Self> {
        let encoder = Encoder::new(config.encoder, observations, config.initialization, init)?;
        let cell = config.cell.build(encoder.output_len(), config.hidden, config.kernel, init)?;
        let mut parameters = Parameters::default();
        parameters.extend("encoder", encoder.parameters());
        parameters.extend("cell", cell.parameters());
        Ok(Self { encoder, input_scale: config.input_scale, cell, parameters })
    }

    /// From observations to features.
    pub(super) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Factor on features, which are then the recurrent layer's input.
    #[cfg(feature = "cuda")]
    pub(super) fn input_scale(&self) -> f64 {
        self.input_scale
    }

    /// Trainable parameters: `encoder.…`, `cell.…`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The recurrent layer.
    pub fn cell(&self) -> &dyn Cell {
        self.cell.as_ref()
    }

    /// The cell's kernel, if it has one and is to use it.
    pub fn fused(&self) -> Option<Arc<dyn FusedKernel>> {
        self.cell.fused().filter(|_| self.cell.kernel() == Kernel::Auto)
    }

    /// Scalars of recurrent state per environment.
    pub fn state_len(&self) -> usize {
        self.cell.state_layout().iter().map(StateField::len).sum()
    }

    fn device(&self) -> Device {
        self.parameters.iter().next().map_or(Device::Cpu, |(_, var)| var.device().clone())
    }

    /// The recurrent layer's input `[N, E]` of a batch of sequences, in candle operations.
    fn inputs(&self, inputs: &Inputs<'_>) -> Result<Tensor> {
        let (n, device) = (inputs.steps * inputs.batch, self.device());
        let observations = match inputs.observations {
            ObservationRef::F32(values) => Tensor::from_slice(values, (n, values.len() / n), &device)?,
            ObservationRef::U8(bytes) => Tensor::from_slice(bytes, (n, bytes.len() / n), &device)?,
        };
        let features = self.encoder.forward(&observations)?;
        Ok(if self.input_scale == 1.0 { features } else { (features * self.input_scale)? })
    }

    /// Activities `[N, H]` of sequences from packed states `[B, S]`, in candle operations.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn forward(&self, inputs: &Inputs<'_>, state: &[f32]) -> Result<Tensor> {
        let Inputs { steps, batch, .. } = *inputs;
        let device = self.device();
        let x = self.inputs(inputs)?.reshape((steps, batch, self.cell.input_size()))?;
        let resets = Tensor::from_slice(inputs.episode_starts, (steps, batch), &device)?;
        let layout = self.cell.state_layout();
        let state = match layout.is_empty() {
            true => State::new(batch, Vec::new()),
            false => {
                let packed = Tensor::from_slice(state, (batch, self.state_len()), &device)?;
                State::unpacked(layout, &packed.to_dtype(self.cell.dtype())?)?
            }
        };
        let hidden = self.cell.sequence(&x, Some(&resets), &state)?.hidden;
        Ok(hidden.reshape((steps * batch, self.cell.hidden_size()))?)
    }

    /// Lays out parameter values (packed in the parameters' order) for work on slices.
    pub fn prepare<T: Element>(self: &Arc<Self>, values: &[T]) -> PreparedTrunk<T> {
        let (of_encoder, of_cell) = values.split_at(self.encoder.parameters().count());
        let cell = || self.fused().map(|kernel| T::kernel(kernel).prepare(of_cell));
        let encoder = || self.encoder.prepare_from(of_encoder);
        let (encoder, cell) = match of_encoder.len().min(of_cell.len()) < WORTH_A_THREAD {
            true => (encoder(), cell()),
            false => rayon::join(encoder, cell),
        };
        PreparedTrunk { trunk: Arc::clone(self), encoder, cell }
    }
}

/// A trunk with its parameters in place.
pub struct PreparedTrunk<T: Element> {
    trunk: Arc<Trunk>,
    encoder: PreparedEncoder<T>,
    /// Absent where the cell has no kernel: it then runs in candle, on its variables' values.
    cell: Option<Arc<dyn Prepared<T>>>,
}

impl PreparedTrunk<f32> {
    /// A stepper of `batch` environments.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn stepper(&self, batch: usize) -> Result<TrunkStepper<'_>> {
        let (trunk, cell) = (&self.trunk, self.trunk.cell());
        Ok(TrunkStepper {
            encoder: &self.encoder,
            input_scale: trunk.input_scale as f32,
            cell: match &self.cell {
                Some(cell) => CellStepper::Fused(Arc::clone(cell).stepper(batch)),
                None => CellStepper::Composed(ComposedStepper::new(cell, batch)?),
            },
            input: vec![0.0; batch * cell.input_size()],
            state: vec![0.0; batch * trunk.state_len()],
            hidden: vec![0.0; batch * cell.hidden_size()],
        })
    }
}

impl<T: Element> PreparedTrunk<T> {
    /// Activities of sequences from states `[B, S]`, with what their gradient needs.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn pass(&self, inputs: &Inputs<'_>, state: &[f32]) -> Result<Pass<T>> {
        self.run(inputs, state, true)
    }

    /// Activities of sequences alone, `[N, H]`.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn activities(&self, inputs: &Inputs<'_>, state: &[f32]) -> Result<Vec<T>> {
        Ok(self.run(inputs, state, false)?.hidden)
    }

    fn run(&self, inputs: &Inputs<'_>, state: &[f32], tape: bool) -> Result<Pass<T>> {
        let Inputs { steps, batch, observations, episode_starts } = *inputs;
        let Some(cell) = &self.cell else {
            let hidden = self.trunk.forward(inputs, state)?;
            return Ok(Pass { hidden: hidden.flatten_all()?.to_vec1()?, graph: Graph::Whole(hidden) });
        };
        let mut features = vec![T::ZERO; steps * batch * self.encoder.output_len()];
        let encoder = self.encoder.forward_taped(observations, &mut features);
        let scale = T::of(self.trunk.input_scale);
        let scaled = (self.trunk.input_scale != 1.0).then(|| features.iter().map(|&x| x * scale).collect::<Vec<T>>());
        let x = scaled.as_ref().unwrap_or(&features);
        let mut hidden = vec![T::ZERO; steps * batch * self.trunk.cell().hidden_size()];
        let extent = Extent { steps, batch };
        let tape = cell.forward(extent, x, Some(episode_starts), &T::of_f32(state), None, &mut hidden, tape);
        Ok(Pass { hidden, graph: Graph::Slices { features, scaled, encoder, tape } })
    }

    /// Writes the gradient of the packed parameters, from that of the activities.
    ///
    /// # Errors
    /// Fails if candle's backward does.
    pub fn backward(&self, inputs: &Inputs<'_>, pass: &Pass<T>, grad_hidden: &[T], gradient: &mut [T]) -> Result<()> {
        match (&self.cell, &pass.graph) {
            (Some(cell), Graph::Slices { features, scaled, encoder, tape: Some(tape) }) => {
                let (of_encoder, of_cell) = gradient.split_at_mut(self.trunk.encoder.parameters().count());
                let x = scaled.as_ref().unwrap_or(features);
                let mut grad_x = (!self.trunk.encoder.is_identity()).then(|| vec![T::ZERO; x.len()]);
                cell.backward(
                    Extent { steps: inputs.steps, batch: inputs.batch },
                    x,
                    Some(inputs.episode_starts),
                    &pass.hidden,
                    tape,
                    grad_hidden,
                    None,
                    grad_x.as_deref_mut(),
                    of_cell,
                );
                if let Some(mut grad_x) = grad_x {
                    if scaled.is_some() {
                        let scale = T::of(self.trunk.input_scale);
                        grad_x.iter_mut().for_each(|grad| *grad *= scale);
                    }
                    self.encoder.backward(inputs.observations, features, encoder, &grad_x, of_encoder);
                }
                Ok(())
            }
            (_, Graph::Whole(hidden)) => back_propagate(hidden, grad_hidden, &self.trunk.parameters, gradient),
            _ => unreachable!("a pass always asks for its tape"),
        }
    }
}

/// Writes the gradient of packed `parameters`, given that of `output`, through candle's graph.
fn back_propagate<T: Element>(output: &Tensor, grad: &[T], parameters: &Parameters, packed: &mut [T]) -> Result<()> {
    let grad = Tensor::from_slice(grad, output.shape(), output.device())?;
    let store = (output * grad)?.sum_all()?.backward()?;
    let mut start = 0;
    for (_, var) in parameters.iter() {
        let packed = &mut packed[start..start + var.elem_count()];
        match store.get(var) {
            Some(grad) => packed.copy_from_slice(&grad.flatten_all()?.to_vec1::<T>()?),
            None => packed.fill(T::ZERO),
        }
        start += var.elem_count();
    }
    Ok(())
}

/// A forward pass over sequences.
pub struct Pass<T: Element> {
    /// `[N, H]`
    pub hidden: Vec<T>,
    graph: Graph<T>,
}

/// What the way back needs.
enum Graph<T: Element> {
    /// The encoder's features `[N, E]`, those times the factor if there is one, and the tapes of encoder and cell.
    Slices { features: Vec<T>, scaled: Option<Vec<T>>, encoder: EncoderTape<T>, tape: Option<Tape> },
    /// One graph in candle.
    Whole(Tensor),
}

/// Steps a trunk in rollouts, in place, without a graph.
pub struct TrunkStepper<'p> {
    encoder: &'p PreparedEncoder,
    input_scale: f32,
    cell: CellStepper<'p>,
    /// The recurrent layer's input, `[B, E]`.
    pub input: Vec<f32>,
    /// `[B, S]` scratch for states on their way in and out.
    state: Vec<f32>,
    /// `[B, H]`
    pub hidden: Vec<f32>,
}

enum CellStepper<'p> {
    Fused(Box<dyn Stepper<f32>>),
    Composed(ComposedStepper<'p>),
}

impl TrunkStepper<'_> {
    /// Takes over columns `columns` of packed states `[B, width]`.
    pub fn load(&mut self, state: &[f32], width: usize, columns: &Range<usize>) -> Result<()> {
        let state = if columns.len() == width {
            state
        } else {
            for (own, all) in self.state.chunks_exact_mut(columns.len().max(1)).zip(state.chunks_exact(width.max(1))) {
                own.copy_from_slice(&all[columns.clone()]);
            }
            &self.state
        };
        match &mut self.cell {
            CellStepper::Fused(stepper) => stepper.load(state),
            CellStepper::Composed(stepper) => stepper.load(state)?,
        }
        Ok(())
    }

    /// Writes the states to those columns; loading them elsewhere continues bit for bit.
    pub fn store(&mut self, state: &mut [f32], width: usize, columns: &Range<usize>) -> Result<()> {
        let whole = columns.len() == width;
        let own = if whole { &mut *state } else { &mut self.state[..] };
        match &mut self.cell {
            CellStepper::Fused(stepper) => stepper.store(own),
            CellStepper::Composed(stepper) => stepper.store(own)?,
        }
        if !whole {
            for (own, all) in self.state.chunks_exact(columns.len().max(1)).zip(state.chunks_exact_mut(width.max(1))) {
                all[columns.clone()].copy_from_slice(own);
            }
        }
        Ok(())
    }

    /// One step from observations `[B, O]`, measuring the energy of every neuron where asked to.
    pub fn step(
        &mut self,
        observations: ObservationRef<'_>,
        episode_starts: &[u8],
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> Result<()> {
        self.encoder.forward(observations, &mut self.input);
        if self.input_scale != 1.0 {
            self.input.iter_mut().for_each(|x| *x *= self.input_scale);
        }
        match &mut self.cell {
            CellStepper::Fused(stepper) => {
                let energy = energy.map(|(energy, mask)| {
                    stepper.mask_energy(mask);
                    energy.resize(self.hidden.len(), 0.0);
                    &mut energy[..]
                });
                stepper.step(&self.input, Some(episode_starts), &mut self.hidden, energy);
            }
            CellStepper::Composed(stepper) => {
                let (energy, mask) = energy.map_or((None, None), |(energy, mask)| (Some(energy), mask));
                stepper.step(&self.input, episode_starts, &mut self.hidden, energy, mask)?;
            }
        }
        Ok(())
    }
}

/// Values of variables, packed in order.
pub(super) fn values<T: Element>(parameters: &Parameters) -> Result<Vec<T>> {
    let mut values = Vec::with_capacity(parameters.count());
    let dtype = if T::DTYPE == DType::F64 { DType::F64 } else { DType::F32 };
    for (_, var) in parameters.iter() {
        values.extend(var.flatten_all()?.to_dtype(dtype)?.to_vec1::<T>()?);
    }
    Ok(values)
}
