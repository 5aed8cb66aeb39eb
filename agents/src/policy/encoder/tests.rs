//! What every encoder owes: shapes, gradients, and the same numbers in rollouts as in training.

use candle_core::{Device, Tensor};
use stpn_random::{Purpose, Stream};

use super::*;

fn config(text: &str) -> EncoderConfig {
    toml::from_str(text).expect("a configuration")
}

fn encoder(config: &EncoderConfig, space: &Space, dtype: DType) -> Encoder {
    let mut stream = Stream::new(1, Purpose::Test, 0);
    Encoder::new(config, space, &mut Initializer::new(&mut stream, dtype, &Device::Cpu)).expect("an encoder")
}

fn cnn(filters: &[Filters], features: Option<usize>, image: Image, dtype: DType) -> Encoder {
    let mut stream = Stream::new(1, Purpose::Test, 0);
    let cnn = Cnn::new(filters, features, image, &mut Initializer::new(&mut stream, dtype, &Device::Cpu)).unwrap();
    let (output, parameters) = (cnn.output_len(), cnn.parameters().clone());
    Encoder { network: Network::Cnn(cnn), bytes: ByteScaling::Raw, dtype, input: image.len(), output, parameters }
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
            let expected = encoder.forward(&x.reshape((3, space.len()))?)?;
            assert_eq!(expected.dims(), [3, encoder.output_len()]);
            let expected: Vec<f32> = expected.flatten_all()?.to_vec1()?;
            let mut features = vec![f32::NAN; expected.len()];
            encoder.prepare()?.forward(observations, &mut features);
            let scale = expected.iter().fold(0f32, |max, v| max.max(v.abs()));
            for (got, want) in features.iter().zip(&expected) {
                assert!((got - want).abs() <= 2e-6 * scale, "{text} on {space}: {got} {want}");
            }
            assert!(scale > 0.01, "{text}: features of zeros show nothing");
        }
    }
    Ok(())
}

/// Loss Σ c·features with fixed random c.
fn loss(encoder: &Encoder, x: &Tensor) -> Result<Tensor> {
    let features = encoder.forward(x)?;
    let factors = Tensor::from_vec(uniform(features.elem_count()), features.shape(), &Device::Cpu)?;
    Ok((features * factors.to_dtype(DType::F64)?)?.sum_all()?)
}

#[test]
fn gradients_agree_with_finite_differences() -> Result<()> {
    let image = Image { channels: 2, height: 11, width: 14 };
    let filters = [Filters { count: 3, size: 4, stride: 2 }, Filters { count: 4, size: 3, stride: 2 }];
    let mlp = encoder(&config("name = 'mlp'\nsizes = [5, 4]"), &Space::boxed(-1.0, 1.0, [6]), DType::F64);
    for encoder in [mlp, cnn(&filters, None, image, DType::F64), cnn(&filters, Some(6), image, DType::F64)] {
        let x = Tensor::from_vec(uniform(3 * encoder.input), (3, encoder.input), &Device::Cpu)?.to_dtype(DType::F64)?;
        let x = candle_core::Var::from_tensor(&x)?;
        let gradients = loss(&encoder, &x)?.backward()?;
        let variables = encoder.parameters().iter().chain([("x", &x)]);
        for (name, var) in variables {
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
fn impossible_encoders_are_refused_by_key() {
    let refused = |text: &str, space: &Space| {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
        Encoder::new(&config(text), space, &mut init).expect_err("impossible").to_string()
    };
    let vector = Space::boxed(-1.0, 1.0, [17]);
    assert!(refused("name = 'mlp'\nsizes = []", &vector).contains("policy.encoder.sizes"));
    assert!(refused("name = 'mlp'\nsizes = [3, 0]", &vector).contains("policy.encoder.sizes"));
    assert!(refused("name = 'paper-cnn'", &vector).contains("needs images [C, H, W]"));
    assert!(refused("name = 'nature-cnn'", &Space::pixels([3, 20, 20])).contains("larger images"));
    assert!(refused("name = 'nature-cnn'\nfeatures = 0", &Space::pixels([4, 84, 84])).contains("features"));
    assert!(toml::from_str::<EncoderConfig>("name = 'paper-cnn'\nfeature = 3").is_err());
}
