//! Stepping allocates nothing, so that memory stays constant however long a run is.

use std::hint::black_box;

use allocation_counter::measure;
use stpn_envs::vector::ActionRows;
use stpn_envs::{Dtype, EnvConfig, ObservationMut, Transition, VectorEnv, registry::ENVIRONMENTS};
use stpn_random::Stream;

/// Environments and steps; fewer where a step costs a hundred times more.
fn size(name: &str) -> (usize, usize) {
    match name {
        "atari" => (2, 5_000),
        name if SIMULATED.contains(&name) => (2, 1_001),
        _ => (100, 2_000),
    }
}

/// The tasks of MuJoCo, whose own memory is not counted, nor is the emulator's.
const SIMULATED: &[&str] = &[
    "inverted-pendulum",
    "inverted-double-pendulum",
    "hopper",
    "half-cheetah",
    "walker2d",
    "ant",
    "humanoid",
    "reacher",
    "swimmer",
    "pusher",
];

/// For observations and for final ones.
fn buffers<'a>(dtype: Dtype, floats: &'a mut [Vec<f32>; 2], bytes: &'a mut [Vec<u8>; 2]) -> [ObservationMut<'a>; 2] {
    match dtype {
        Dtype::F32 => floats.each_mut().map(|buffer| ObservationMut::F32(buffer)),
        Dtype::U8 => bytes.each_mut().map(|buffer| ObservationMut::U8(buffer)),
    }
}

#[test]
fn stepping_and_auto_reset_allocate_nothing() {
    assert_eq!(measure(|| drop(black_box(vec![0_u8; 100]))).count_total, 1, "the counter counts");
    // A pool of one thread, which does everything: allocations are counted per thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for entry in ENVIRONMENTS {
        let (count, steps) = size(entry.name);
        pool.install(|| {
            let config = EnvConfig::from_name(entry.name).unwrap();
            let mut vector = VectorEnv::new(&|_| config.make(), count, 8, 1).unwrap();
            let width = vector.observation_space().len();
            let dtype = vector.observation_space().dtype();
            let (floats, bytes) = if dtype == Dtype::F32 { (count * width, 0) } else { (0, count * width) };
            let (mut floats, mut bytes) = ([vec![0.0; floats], vec![0.0; floats]], [vec![0; bytes], vec![0; bytes]]);
            let (mut rewards, mut terminated, mut truncated) =
                (vec![0.0; count], vec![false; count], vec![false; count]);
            vector.reset(buffers(dtype, &mut floats, &mut bytes)[0].reborrow()).unwrap();
            let (space, mut stream) = (vector.action_space().clone(), Stream::from_seed(1));
            let mut rows = ActionRows::of(&space);
            (0..count).for_each(|_| rows.push(space.sample(&mut stream).get()));
            let actions = rows.range(0..count, space.len());
            let mut episodes = 0;
            let mut run = |steps| {
                for _ in 0..steps {
                    let [observations, final_observations] = buffers(dtype, &mut floats, &mut bytes);
                    let mut out = Transition {
                        observations,
                        final_observations,
                        rewards: &mut rewards,
                        terminated: &mut terminated,
                        truncated: &mut truncated,
                    };
                    vector.step(actions, &mut out).unwrap();
                    episodes += vector.drain_episodes().count();
                }
            };
            let allocations = measure(|| run(steps));
            assert_eq!(allocations.count_total, 0, "{}: {allocations:?}", entry.name);
            assert!(episodes >= count, "{}: {episodes} episodes ended", entry.name);
        });
    }
}
