//! Settings of the whole process; in a test program of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use stpn_agents::start::training;
use stpn_agents::{ProcessSettings, RunConfig};

#[test]
fn trainers_changed_the_matrix_library_behind_their_users_back() {
    let before = gemm::get_threading_threshold();
    for text in [
        "env = { name = 'cartpole' }
         rollout = { environments = 2, steps = 4 }
         policy = { hidden = 3, kernel = 'composed', cell = { name = 'rnn' } }
         algorithm = { name = 'a2c' }",
        "task = { name = 'art', training_sequences = 20, validation_sequences = 20, batch_size = 20 }
         policy = { hidden = 3, cell = { name = 'rnn' } }",
    ] {
        let config = RunConfig::from_table(text.parse().unwrap()).unwrap();
        training(&config).unwrap().update().unwrap();
    }
    assert_eq!(gemm::get_threading_threshold(), before);
    assert!(ProcessSettings::in_force().split_products, "candle's default");

    ProcessSettings::default().apply();
    assert_eq!(ProcessSettings::in_force(), ProcessSettings { split_products: false });
    assert_eq!(gemm::get_threading_threshold(), usize::MAX);
    ProcessSettings { split_products: true }.apply();
    assert_eq!(gemm::get_threading_threshold(), before);
}
