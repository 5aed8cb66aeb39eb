"""Checks `stpn report` in headless Chromium at desktop and phone width, and `stpn play`.

    python check_report.py path/to/stpn [DIR]

Screenshots and the page are left in DIR where it is given. Needs selenium, and Debian's chromium and chromium-driver.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from browser import chromium

FIGURES = """
    return [...document.querySelectorAll("figure")].map((figure) => {
        const svg = figure.querySelector("svg");
        const box = svg.getBoundingClientRect();
        return {
            id: figure.id,
            series: figure.dataset.series.split(";"),
            lines: svg.querySelectorAll("polyline").length,
            marks: svg.querySelectorAll("polyline, polygon, circle, image, rect").length,
            texts: svg.textContent,
            width: box.width,
            height: box.height,
            letters: 20 * box.width / svg.viewBox.baseVal.width,
            sheet: getComputedStyle(svg.querySelector(".sheet")).fill,
            ink: getComputedStyle(svg.querySelector("text")).fill,
        };
    });
"""

# Figures that a maze run with plastic synapses must have.
WANTED = ["maze-learning-curves", "maze-energy", "lambda", "gamma", "time-constants", "fast-weights",
          "fast-weights-4", "path-first-half", "path-second-half"]


def stpn(binary, *arguments):
    command = [str(binary), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def brightness(color):
    return sum(map(int, re.findall(r"\d+", color)[:3]))


def check_page(page, width, height, scheme, screenshot):
    browser = chromium(width, height)
    try:
        # A phone's viewport is narrower than the narrowest window of a desktop browser.
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.get(page.as_uri())
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (brightness(ground) < 200) == (scheme == "dark"), (scheme, ground)
        figures = browser.execute_script(FIGURES)
        messages = [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"]
        assert not messages, messages
        resources = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert all(name.startswith("data:") for name in resources), resources
        overflow = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"the page is {overflow} pixels too wide at {width}"
        for wanted in WANTED:
            assert any(figure["id"].endswith(wanted) for figure in figures), (wanted, [f["id"] for f in figures])
        for figure in figures:
            assert figure["series"] and all(figure["series"]), figure
            assert figure["marks"] >= len(figure["series"]), figure
            assert 100 < figure["width"] <= width and figure["height"] > 60, figure
            assert figure["letters"] > 11, f"{figure['id']}: letters of {figure['letters']:.1f} pixels at {width}"
            contrast = brightness(figure["ink"]) - brightness(figure["sheet"])
            assert (contrast > 300) if scheme == "dark" else (contrast < -300), figure
        curves = next(figure for figure in figures if figure["id"] == "maze-learning-curves")
        assert set(curves["series"]) == {"stpn", "rnn"}, curves
        for name in [*curves["series"], "oracle", "random policy"]:
            assert name in curves["texts"], (name, curves["texts"])
        if screenshot is not None:
            full = browser.execute_script("return document.documentElement.scrollHeight")
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": full, "deviceScaleFactor": 1, "mobile": width < 600})
            browser.save_screenshot(str(screenshot))
        return len(figures)
    finally:
        browser.quit()


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        out = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
        runs = []
        for cell, seed in [("stpn", 1), ("stpn", 2), ("rnn", 1)]:
            runs.append(root / f"{cell}-{seed}")
            stpn(binary, "train", "maze-small", "--updates", 12, "--cell", cell, "--seed", seed, "--run-dir", runs[-1],
                 "--hidden", 12, "--set", "rollout.environments=8")
        page, plots = root / "report.html", root / "plots"
        stpn(binary, "report", *runs, "--out", page, "--plots", plots)
        counts = set()
        for name, width, height in [("desktop", 1280, 1000), ("phone", 400, 844)]:
            for scheme in ["light", "dark"]:
                shot = out / f"{name}-{scheme}.png" if out else None
                counts.add(check_page(page, width, height, scheme, shot))
        (desktop,) = counts
        assert len(list(plots.glob("*.svg"))) == desktop
        print(f"report: {desktop} figures, at desktop and phone width, light and dark, without a message in the"
              " console")

        played = stpn(binary, "play", runs[0], "--episode-seed", 3)
        assert played.count("fast weights") == 100 and "@@" in played, played[:500]
        assert played == stpn(binary, "play", runs[0], "--episode-seed", 3), "the same seed plays another episode"
        gif = root / "maze.gif"
        stpn(binary, "play", runs[0], "--gif", gif)
        assert gif.read_bytes()[:6] == b"GIF89a"
        print("play: the terminal and a GIF")


main()
