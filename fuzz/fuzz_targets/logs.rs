#![no_main]

use libfuzzer_sys::fuzz_target;
use stpn_agents::hostile;

fuzz_target!(|bytes: &[u8]| hostile::logs(bytes));
