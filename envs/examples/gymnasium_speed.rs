//! Steps per second of an environment of Python's Gymnasium through worker processes, with random actions:
//! `gymnasium_speed ID ENVIRONMENTS SECONDS`. `scripts/gymnasium_speed.py` compares with Gymnasium's own vectors.

#[cfg(unix)]
fn main() -> stpn_envs::Result<()> {
    use stpn_envs::gymnasium::GymnasiumConfig;
    use stpn_envs::throughput::{Workload, measure};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [id, environments, seconds] = &arguments[..] else {
        eprintln!("usage: gymnasium_speed ID ENVIRONMENTS SECONDS");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse().unwrap_or(1.0);
    let (environments, threads) = (number(environments) as usize, rayon::current_num_threads());
    let group_size = environments.div_ceil(threads);
    let workload = Workload { environments, group_size, threads, seconds: number(seconds) };
    let config = GymnasiumConfig::new(id);
    println!("{}", measure(&|_| config.make(), &workload)?.steps_per_second());
    Ok(())
}

#[cfg(not(unix))]
fn main() {}
