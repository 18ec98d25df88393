"""The dashboards are what Grafana's own types say: the whole, and of each panel its options and its queries.

The types are a package of npm. It is fetched where ``MONITOR_TESTS_REQUIRE`` names ``grafana-schema``, into a folder of
the user's cache; elsewhere the test runs where it lies there already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from monitor.configuration.settings import Settings
from tests.support.expressions import dashboards, panels
from tests.support.requirements import is_required

PACKAGES = ("@grafana/schema@11.6.0", "typescript@5.8.3", "tslib@2.8.1")
KINDS = {
    "timeseries": "TimeSeriesPanelCfg",
    "stat": "StatPanelCfg",
    "table": "TablePanelCfg",
    "heatmap": "HeatmapPanelCfg",
    "state-timeline": "StateTimelinePanelCfg",
    "bargauge": "BarGaugePanelCfg",
}
WITHOUT_FIELDS_OF_THEIR_OWN = ("stat", "bargauge")
# In JSON an enumeration is its text; what the schema calls by a name of its own has to be given by value.
HEAD = """
type Plain<T> =
  T extends string ? `${T}` :
  T extends (infer U)[] ? Plain<U>[] :
  T extends object ? { [K in keyof T]: Plain<T[K]> } :
  T;
interface Target {
  refId: string;
  expr: string;
  datasource: { type: "prometheus"; uid: string };
  editorMode: "code" | "builder";
  format: "time_series" | "table" | "heatmap";
  instant: boolean;
  range: boolean;
  legendFormat: string;
}
interface PrometheusAnnotation {
  expr: string;
  step: string;
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  useValueForTime: boolean;
}
"""
OF_PROMETHEUS = ("expr", "step", "titleFormat", "textFormat", "tagKeys", "useValueForTime")


@pytest.fixture(scope="session")
def schema(starts_servers: None) -> Path:
    """A folder with the types and their compiler."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proliv-monitor-tests"
    folder = cache / "-".join(package.rsplit("/", 1)[-1] for package in PACKAGES)
    if (folder / "node_modules").is_dir():
        return folder
    if not is_required("grafana-schema"):
        pytest.skip("needs Grafana's types from npm; fetch them with MONITOR_TESTS_REQUIRE=grafana-schema")
    assert shutil.which("npm"), "needs npm (Debian: apt install npm)"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as unfinished:
        (Path(unfinished) / "whole").mkdir()
        ended = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", *PACKAGES],
            cwd=Path(unfinished) / "whole",
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        # Another test process may have been quicker.
        with suppress(OSError):
            (Path(unfinished) / "whole").rename(folder)
    return folder


def compiled(schema: Path, folder: Path, source: str) -> str:
    """What the compiler finds wrong, nothing where all is well."""
    (folder / "node_modules").symlink_to(schema / "node_modules")
    (folder / "dashboards.ts").write_text(source)
    options = "--noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext --target es2022"
    ended = subprocess.run(
        ["node", schema / "node_modules" / "typescript" / "bin" / "tsc", *options.split(), "dashboards.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode == 0) == (not ended.stdout), ended.stderr
    return ended.stdout


def as_typescript(found: dict[str, dict[str, Any]]) -> str:
    lines = ['import type { Dashboard } from "@grafana/schema";', HEAD]
    for kind, module in KINDS.items():
        path = f"@grafana/schema/dist/esm/raw/composable/{kind.replace('-', '')}/panelcfg/x/{module}_types.gen.js"
        lines.append(f"import type * as {module} from {json.dumps(path)};")
    for place, dashboard in enumerate(found.values()):
        for number, annotation in enumerate(dashboard["annotations"]["list"][1:]):
            own = {key: annotation.pop(key) for key in OF_PROMETHEUS}
            lines.append(f"const annotation{place}_{number}: PrometheusAnnotation = {json.dumps(own)};")
        lines.append(f"const dashboard{place}: Plain<Dashboard> = {json.dumps(dashboard)};")
        for panel in panels(dashboard):
            name, module = f"{place}_{panel['id']}", KINDS[panel["type"]]
            lines.append(f"const options{name}: Plain<{module}.Options> = {json.dumps(panel['options'])};")
            lines.append(f"const targets{name}: Target[] = {json.dumps(panel['targets'])};")
            if panel["type"] not in WITHOUT_FIELDS_OF_THEIR_OWN:
                custom = json.dumps(panel["fieldConfig"]["defaults"]["custom"])
                lines.append(f"const custom{name}: Partial<Plain<{module}.FieldConfig>> = {custom};")
    return "\n".join(lines) + "\n"


def test_dashboards_are_of_grafanas_types(schema: Path, tmp_path: Path) -> None:
    assert compiled(schema, tmp_path, as_typescript(dashboards(Settings()))) == ""


def test_the_types_find_what_is_wrong(schema: Path, tmp_path: Path) -> None:
    found = dashboards(Settings())
    broken = list(found.values())
    broken[0]["refesh"] = "30s"
    panels(broken[1])[0]["options"]["legend"]["displayMode"] = "tabel"
    panels(broken[2])[0]["targets"][0]["legend"] = "proliv"
    panels(broken[3])[0]["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "thin"
    wrong = compiled(schema, tmp_path, as_typescript(found))
    expected = (
        "'\"refesh\"' does not",
        '"tabel"',
        "'\"legend\"' does not",
        "not assignable to type 'number'",
    )
    assert [words for words in expected if words not in wrong] == [], wrong
    assert wrong.count("error TS") == 4
