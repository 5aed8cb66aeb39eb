"""Checks that the real TensorBoard reads a run's event files, while the run is alive and after kill -9.

    python check_tensorboard.py path/to/stpn

Needs tensorboard, selenium, and Debian's chromium and chromium-driver.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from browser import chromium
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams

SCALARS = {
    "charts/episodic_return",
    "charts/episodic_length",
    "charts/energy",
    "charts/SPS",
    "charts/learning_rate",
    "losses/policy_loss",
    "losses/value_loss",
    "losses/entropy",
    "losses/explained_variance",
    "losses/grad_norm",
}
HISTOGRAMS = {"parameters/cell.weight", "parameters/cell.lambda", "parameters/cell.gamma", "state/F"}


# Text of the page, that inside shadow roots (TensorBoard's histograms) included.
PAGE_TEXT = """
    const texts = [];
    const walk = (node) => {
        if (node.shadowRoot) walk(node.shadowRoot);
        for (const child of node.childNodes) {
            if (child.nodeType === Node.TEXT_NODE) texts.push(child.textContent);
            else if (!["STYLE", "SCRIPT", "NOSCRIPT"].includes(child.tagName)) walk(child);
        }
    };
    walk(document.body);
    return texts.join("\\n");
"""


def wait_for(what, seconds, ready):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = ready()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"no {what} within {seconds} s")


def load(run):
    accumulator = EventAccumulator(str(run), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def check_events(run):
    accumulator = load(run)
    tags = accumulator.Tags()
    missing = SCALARS - set(tags["scalars"])
    assert not missing, f"missing scalars {missing}"
    missing = HISTOGRAMS - set(tags["histograms"])
    assert not missing, f"missing histograms {missing}"
    assert {"config/text_summary", "command_line/text_summary"} <= set(tags["tensors"]), tags["tensors"]
    weights = accumulator.Histograms("parameters/cell.lambda")[0].histogram_value
    assert weights.num > 0 and 0.0 <= weights.min < weights.max <= 1.0, weights
    steps = [event.step for event in accumulator.Scalars("charts/episodic_return")]
    assert steps == sorted(set(steps)), f"steps out of order or double: {steps}"
    return len(steps)


def check_hyperparameters(run, ended):
    """The page of hyperparameters finds the run's settings, typed, and whether it has come to its end."""
    contents = load(run).summary_metadata
    start = hparams.parse_session_start_info_plugin_data(
        contents["_hparams_/session_start_info"].plugin_data.content)
    values = {key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()}
    expected = {"env.name": "maze", "policy.hidden": 8.0, "policy.cell.bias": True, "optimizer.learning_rate": 1e-3,
                "rollout.environments": 8.0}
    found = {key: values.get(key) for key in expected}
    assert found == expected, (found, values)
    assert abs(start.start_time_secs - time.time()) < 3600, start.start_time_secs
    if ended:
        end = hparams.parse_session_end_info_plugin_data(contents["_hparams_/session_end_info"].plugin_data.content)
        assert end.status == 1 and end.end_time_secs >= start.start_time_secs, end
    else:
        assert "_hparams_/session_end_info" not in contents, "a run that goes on has not ended"
    return len(values)


def check_against_metrics(run):
    """Every scalar that TensorBoard reads equals the line of metrics.jsonl at the same step."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    metrics = {line["env_steps"]: line for line in map(json.loads, lines)}
    events = load(run).Scalars("charts/episodic_return")
    assert len(events) == len(metrics), (len(events), len(metrics))
    for event in events:
        expected = metrics[event.step]["charts/episodic_return"]
        assert abs(event.value - expected) <= 1e-6 * max(1.0, abs(expected)), (event, expected)


def check_page(run):
    """The web page shows the scalars and histograms by name, and no error."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(run), "--port", str(port), "--host", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    browser = None
    try:
        def answers():
            try:
                return urllib.request.urlopen(f"{address}/data/runs", timeout=5).read()
            except OSError:
                return None

        wait_for("answer from TensorBoard", 60, answers)
        browser = chromium()
        browser.get(f"{address}/#timeseries")

        def text():
            return browser.execute_script(PAGE_TEXT)

        wait_for("scalars on the page", 60, lambda: "/episodic_return" in text())
        request = urllib.request.Request(f"{address}/data/plugin/hparams/session_groups",
                                         data=b'{"experimentName": "", "allowedStatuses": ["STATUS_UNKNOWN", '
                                              b'"STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"], '
                                              b'"colParams": [], "startIndex": 0, "sliceSize": 10}',
                                         headers={"Content-Type": "application/json"})
        groups = json.load(urllib.request.urlopen(request, timeout=30))["sessionGroups"]
        assert [group["hparams"]["env.name"] for group in groups] == ["maze"], groups
        browser.get("about:blank")
        browser.get(f"{address}/#hparams")
        wait_for("hyperparameters on the page", 60, lambda: "optimizer.learning_rate" in text())
        browser.get("about:blank")
        browser.get(f"{address}/#timeseries")
        browser.get("about:blank")
        browser.get(f"{address}/#histograms")
        wait_for("histograms on the page", 60, lambda: "parameters/cell.lambda" in text())
    finally:
        if browser is not None:
            browser.quit()
        server.terminate()
        server.wait(10)


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        run = pathlib.Path(directory) / "run"
        command = [str(binary), "train", "maze-small", "--updates", "100000", "--run-dir", str(run),
                   "--set", "rollout.environments=8", "--set", "policy.hidden=8", "--set", "log.histograms_every=2",
                   "--set", "checkpoint.every=20"]
        training = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            metrics = run / "metrics.jsonl"
            wait_for("metrics", 120, lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 5)
            assert training.poll() is None, "the run ended by itself"
            alive = wait_for("events of the living run", 30, lambda: check_events(run))
            settings = check_hyperparameters(run, ended=False)
            check_page(run)
            assert training.poll() is None, "the run ended by itself"
            print(f"alive: {alive} updates and {settings} settings read back")
        finally:
            os.kill(training.pid, signal.SIGKILL)
            training.wait()
        killed = check_events(run)
        assert killed >= alive
        check_page(run)
        print(f"after kill -9: {killed} updates read back")
        # Continued, and killed again and again: one curve without gap or double entry.
        last = 0
        for _ in range(3):
            last = max(last, len(metrics.read_text().splitlines()))
            resumed = subprocess.Popen([str(binary), "resume", str(run)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            wait_for("metrics of the resumed run", 120, lambda: len(metrics.read_text().splitlines()) > last)
            resumed.kill()
            resumed.wait()
        last = len(metrics.read_text().splitlines()) + 5
        subprocess.run([str(binary), "resume", str(run), "--updates", str(last)], check=True,
                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert check_events(run) == last, f"{check_events(run)} events of {last} updates"
        check_against_metrics(run)
        check_page(run)
        print(f"after being killed and resumed four times: {last} updates, each once")

        run = pathlib.Path(directory) / "whole"
        subprocess.run([*command[:4], "6", "--run-dir", str(run), *command[7:]], check=True,
                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        check_against_metrics(run)
        print("metrics.jsonl and the event file agree")


main()
