//! Stepping allocates nothing, so that memory stays constant however long a run is.

use std::hint::black_box;

use allocation_counter::measure;
use stpn_envs::vector::Actions;
use stpn_envs::{EnvConfig, ObservationMut, Space, Transition, VectorEnv, registry::ENVIRONMENTS};

const COUNT: usize = 100;

#[test]
fn stepping_and_auto_reset_allocate_nothing() {
    assert_eq!(measure(|| drop(black_box(vec![0_u8; COUNT]))).count_total, 1, "the counter counts");
    // A pool of one thread, which does everything: allocations are counted per thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for entry in ENVIRONMENTS {
        pool.install(|| {
            let config = EnvConfig::from_name(entry.name).unwrap();
            let mut vector = VectorEnv::new(&|_| config.make(), COUNT, 8, 1).unwrap();
            let width = vector.observation_space().len();
            let (mut observations, mut finals) = (vec![0.0; COUNT * width], vec![0.0; COUNT * width]);
            let (mut rewards, mut terminated, mut truncated) =
                (vec![0.0; COUNT], vec![false; COUNT], vec![false; COUNT]);
            let (choices, pushes) = (vec![1; COUNT], vec![0.5; COUNT]);
            vector.reset(ObservationMut::F32(&mut observations)).unwrap();
            let actions = match vector.action_space() {
                Space::Discrete { .. } => Actions::Discrete(&choices),
                _ => Actions::Continuous(&pushes),
            };
            let mut episodes = 0;
            let mut run = |steps| {
                for _ in 0..steps {
                    let mut out = Transition {
                        observations: ObservationMut::F32(&mut observations),
                        final_observations: ObservationMut::F32(&mut finals),
                        rewards: &mut rewards,
                        terminated: &mut terminated,
                        truncated: &mut truncated,
                    };
                    vector.step(actions, &mut out).unwrap();
                    episodes += vector.drain_episodes().count();
                }
            };
            let allocations = measure(|| run(2_000));
            assert_eq!(allocations.count_total, 0, "{}: {allocations:?}", entry.name);
            assert!(episodes >= COUNT, "{}: {episodes} episodes ended", entry.name);
        });
    }
}
