//! Two processes and one run directory.

use std::time::Duration;

use crate::binary::stpn;
use crate::run::{TRAIN, arguments, newest, start};

#[test]
fn a_run_directory_has_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let mut child = start(&format!("{TRAIN} --updates 1000000"), &run);
    while newest(&run).unwrap_or(0) < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    for line in ["resume RUN", TRAIN] {
        let refused = stpn(&arguments(line, &run));
        assert_eq!(refused.status.code(), Some(3), "{}", refused.error);
        let expected = format!("in use by process {}", child.id());
        assert!(line == TRAIN || refused.error.contains(&expected), "{}", refused.error);
    }
    let evaluated = stpn(&arguments("eval RUN --episodes 2", &run));
    assert!(evaluated.status.success(), "reading needs no lock: {}", evaluated.error);
    child.kill().unwrap();
    child.wait().unwrap();
    let updates = newest(&run).unwrap() + 1;
    let resumed = stpn(&arguments(&format!("resume RUN --updates {updates}"), &run));
    assert!(resumed.status.success(), "the lock of a killed process is stale: {}", resumed.error);
}
