//! What every encoder owes: shapes, gradients, and the same numbers in rollouts as in training.

use candle_core::{Device, Tensor, Var};
use stpn_core::kernels::convolution::Image;
use stpn_random::{Purpose, Stream};

use super::*;

fn config(text: &str) -> EncoderConfig {
    toml::from_str(text).expect("a configuration")
}

fn encoder(config: &EncoderConfig, space: &Space, dtype: DType) -> Encoder {
    let mut stream = Stream::new(1, Purpose::Test, 0);
    Encoder::new(config, space, Initialization::Uniform, &mut Initializer::new(&mut stream, dtype, &Device::Cpu))
        .expect("an encoder")
}

fn cnn(filters: &[Filters], features: Option<usize>, image: Image, dtype: DType) -> Encoder {
    let mut stream = Stream::new(1, Purpose::Test, 0);
    let cnn = Cnn::new(
        filters,
        features,
        image,
        Initialization::Uniform,
        &mut Initializer::new(&mut stream, dtype, &Device::Cpu),
    )
    .unwrap();
    let (output, parameters) = (cnn.output_len(), cnn.parameters().clone());
    let (bytes, one_hot, input) = (ByteScaling::Unit, None, image.len());
    Encoder { network: Network::Cnn(cnn), bytes, one_hot, dtype, input, output, parameters }
}

fn uniform(n: usize) -> Vec<f32> {
    let mut stream = Stream::new(2, Purpose::Test, 0);
    (0..n).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
}

fn bytes(n: usize) -> Vec<u8> {
    let mut stream = Stream::new(3, Purpose::Test, 0);
    (0..n).map(|_| stream.uniform(0.0, 256.0) as u8).collect()
}

#[test]
fn published_networks_have_the_published_sizes() {
    let pixels = Space::pixels([1, 84, 84]);
    let paper = encoder(&config("name = 'paper-cnn'"), &pixels, DType::F32);
    assert_eq!(paper.output_len(), 2592);
    assert_eq!(paper.parameters().count(), 16 * 64 + 16 + 32 * 256 + 32);
    let nature = encoder(&config("name = 'nature-cnn'"), &Space::pixels([4, 84, 84]), DType::F32);
    assert_eq!(nature.output_len(), 512);
    // Mnih et al. 2015, without the output layer.
    assert_eq!(nature.parameters().count(), 32 * 256 + 32 + 64 * 512 + 64 + 64 * 576 + 64 + 3136 * 512 + 512);
    let names: Vec<&str> = nature.parameters().iter().map(|(name, _)| name).collect();
    assert_eq!(names[..3], ["conv1.weight", "conv1.bias", "conv2.weight"]);
    assert_eq!(names[6..], ["linear.weight", "linear.bias"]);
    let identity = encoder(&EncoderConfig::default(), &Space::boxed(-1.0, 1.0, [17]), DType::F32);
    assert_eq!((identity.output_len(), identity.parameters().count()), (17, 0));
}

#[test]
fn bytes_are_scaled_as_configured() {
    let space = Space::pixels([3]);
    for (scaling, expected) in
        [("unit", [0.0, 0.2, 1.0]), ("centered", [-1.0, -0.6015625, 0.9921875]), ("raw", [0.0, 51.0, 255.0])]
    {
        let encoder = encoder(&config(&format!("name = 'identity'\nbytes = '{scaling}'")), &space, DType::F32);
        let mut features = [f32::NAN; 3];
        encoder.prepare().unwrap().forward(ObservationRef::U8(&[0, 51, 255]), &mut features);
        for (got, want) in features.iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{scaling}: {features:?}");
        }
    }
}

#[test]
fn rollouts_and_training_see_the_same_features() -> Result<()> {
    let pixels = Space::pixels([2, 84, 84]);
    let numbers = Space::boxed(-1.0, 1.0, [2, 44, 61]);
    for text in ["name = 'identity'", "name = 'mlp'", "name = 'mlp'\nsizes = [33, 7]\nactivation = 'relu'"]
        .into_iter()
        .chain(["name = 'paper-cnn'", "name = 'nature-cnn'\nfeatures = 40"])
    {
        for space in [&pixels, &numbers] {
            let encoder = encoder(&config(text), space, DType::F32);
            let n = 3 * space.len();
            let (numbers, bytes) = (uniform(n), bytes(n));
            let (x, observations) = match space.dtype() {
                stpn_envs::Dtype::F32 => (Tensor::new(&numbers[..], &Device::Cpu)?, ObservationRef::F32(&numbers)),
                stpn_envs::Dtype::U8 => (Tensor::new(&bytes[..], &Device::Cpu)?, ObservationRef::U8(&bytes)),
            };
            let x = x.reshape((3, space.len()))?;
            let composed: Vec<f32> = encoder.forward_composed(&x)?.flatten_all()?.to_vec1()?;
            let scale = composed.iter().fold(0f32, |max, v| max.max(v.abs()));
            assert!(scale > 0.01, "{text}: features of zeros show nothing");
            let close = |what: &str, features: &[f32]| {
                assert_eq!(features.len(), composed.len());
                for (got, want) in features.iter().zip(&composed) {
                    assert!((got - want).abs() <= 2e-6 * scale, "{text} on {space}, {what}: {got} {want}");
                }
            };
            let training = encoder.forward(&x)?;
            assert_eq!(training.dims(), [3, encoder.output_len()]);
            close("tensors", &training.flatten_all()?.to_vec1::<f32>()?);
            let mut features = vec![f32::NAN; composed.len()];
            encoder.prepare()?.forward(observations, &mut features);
            close("slices", &features);
        }
    }
    Ok(())
}

/// Small encoders over every kind of layer, with sizes that leave something over.
fn small_encoders() -> Vec<Encoder> {
    let image = Image { channels: 2, height: 11, width: 14 };
    let filters = [Filters { count: 3, size: 4, stride: 2 }, Filters { count: 4, size: 3, stride: 2 }];
    vec![
        encoder(&config("name = 'mlp'\nsizes = [5, 4, 3]"), &Space::boxed(-1.0, 1.0, [6]), DType::F64),
        encoder(&config("name = 'mlp'\nsizes = [5]\nactivation = 'relu'"), &Space::boxed(-1.0, 1.0, [6]), DType::F64),
        cnn(&filters, None, image, DType::F64),
        cnn(&filters, Some(6), image, DType::F64),
    ]
}

/// Loss Σ c·features with fixed random c.
fn loss(encoder: &Encoder, x: &Tensor) -> Result<Tensor> {
    let features = encoder.forward(x)?;
    let factors = Tensor::from_vec(uniform(features.elem_count()), features.shape(), &Device::Cpu)?;
    Ok((features * factors.to_dtype(DType::F64)?)?.sum_all()?)
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    for encoder in small_encoders() {
        let x = Tensor::from_vec(uniform(3 * encoder.input), (3, encoder.input), &Device::Cpu)?.to_dtype(DType::F64)?;
        let x = Var::from_tensor(&x)?;
        let gradients = loss(&encoder, &x)?.backward()?;
        for (name, var) in encoder.parameters().iter().chain([("x", &x)]) {
            let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
            let gradient: Vec<f64> = gradient.flatten_all()?.to_vec1()?;
            let values: Vec<f64> = var.flatten_all()?.to_vec1()?;
            for i in (0..values.len()).step_by(values.len().div_ceil(17)) {
                let at = |value: f64| -> Result<f64> {
                    let mut moved = values.clone();
                    moved[i] = value;
                    var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu)?)?;
                    Ok(loss(&encoder, &x)?.to_scalar()?)
                };
                let step = 1e-6;
                let difference = (at(values[i] + step)? - at(values[i] - step)?) / (2.0 * step);
                at(values[i])?;
                assert!((gradient[i] - difference).abs() < 1e-7, "{name}[{i}]: {} {difference}", gradient[i]);
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_on_slices_are_those_of_tensors() -> Result<()> {
    for encoder in small_encoders() {
        let (numbers, bytes) = (uniform(5 * encoder.input), bytes(5 * encoder.input));
        for observations in [ObservationRef::F32(&numbers), ObservationRef::U8(&bytes)] {
            let x = match observations {
                ObservationRef::F32(x) => Tensor::new(x, &Device::Cpu)?,
                ObservationRef::U8(x) => Tensor::new(x, &Device::Cpu)?,
            };
            let store = loss(&encoder, &x.reshape((5, encoder.input))?)?.backward()?;
            let prepared = encoder.prepare::<f64>()?;
            let mut features = vec![f64::NAN; 5 * encoder.output_len()];
            let tape = prepared.forward_taped(observations, &mut features);
            let grad: Vec<f64> = uniform(features.len()).into_iter().map(f64::from).collect();
            let mut packed = vec![f64::NAN; encoder.parameters().count()];
            prepared.backward(observations, &features, &tape, &grad, &mut packed);
            let mut start = 0;
            for (name, var) in encoder.parameters().iter() {
                let expected: Vec<f64> = store.get(var).expect(name).flatten_all()?.to_vec1()?;
                for (i, (got, want)) in packed[start..].iter().zip(&expected).enumerate() {
                    assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{name}[{i}]: {got} {want}");
                }
                start += expected.len();
            }
        }
    }
    Ok(())
}

#[test]
fn impossible_encoders_are_refused_by_key() {
    let refused = |text: &str, space: &Space| {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
        Encoder::new(&config(text), space, Initialization::Uniform, &mut init).expect_err("impossible").to_string()
    };
    let vector = Space::boxed(-1.0, 1.0, [17]);
    assert!(refused("name = 'mlp'\nsizes = []", &vector).contains("policy.encoder.sizes"));
    assert!(refused("name = 'mlp'\nsizes = [3, 0]", &vector).contains("policy.encoder.sizes"));
    assert!(refused("name = 'paper-cnn'", &vector).contains("needs images [C, H, W]"));
    assert!(refused("name = 'nature-cnn'", &Space::pixels([3, 20, 20])).contains("larger images"));
    assert!(refused("name = 'nature-cnn'\nfeatures = 0", &Space::pixels([4, 84, 84])).contains("features"));
    assert!(toml::from_str::<EncoderConfig>("name = 'paper-cnn'\nfeature = 3").is_err());
}
