"""The house rules a machine can check: who imports whom, what is loaded, what the render thread may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "synthhost"
FILES = sorted(PACKAGE.rglob("*.py"))

# A room imports `core` and itself; these rooms import more.
ALSO_IMPORTS: dict[str, set[str]] = {
    "families": {"streaming", "native", "features"},
    "backends": {"streaming", "native"},
    "checkpoints": {"families", "schema"},
    "sources": {"features"},
    "library": {"checkpoints", "families", "backends", "streaming", "features", "schema", "native"},
    "train": {"families", "features", "checkpoints", "streaming", "schema", "library"},
}
KNOW_EVERY_ROOM = {"host", "cli"}
NOT_FOR_ROOMS = {"host", "cli", "train"}

# Packages that only some rooms may load; everything else stays light.
HEAVY_IN: dict[str, set[str]] = {
    "torch": {
        "streaming",
        "families",
        "checkpoints",
        "backends",
        "features",
        "library",
        "host",
        "train",
        "cli",
    },
    "pedalboard": {"effects"},
    "sounddevice": {"sinks", "cli", "host"},
    "pydantic": {"schema", "checkpoints", "host"},
    "yaml": {"schema", "checkpoints", "host"},
    "typer": {"cli"},
    "rich": {"cli"},
}

# Optional parts may be imported inside a function: (file, module).
IMPORTED_INSIDE: set[tuple[str, str]] = {
    ("host/sink_process.py", "synthhost.sinks.device"),  # PortAudio wakes up at import
    ("library/shelves.py", "synthhost.checkpoints.importing"),  # every published layout: a tenth of a second
    ("train/soundfont.py", "fluidsynth"),
    ("train/pictures.py", "matplotlib.figure"),
    ("train/distances.py", "swift_f0"),
}

# The one place where the render thread sleeps: between blocks, until there is room for the next.
SLEEPS_BETWEEN_BLOCKS = {("host/engine_process.py", "_wait_for_room: sleep()")}

# Files in which everything may run on the render thread, private functions included.
RENDER_MODULES = {
    *(f"engine/{name}.py" for name in ("buses", "changes", "crossfade", "fifo", "meters", "renderer")),
    *(f"engine/{name}.py" for name in ("resampler", "strip", "track", "voice", "answers")),
    *(f"engine/{name}.py" for name in ("sounding", "clip", "clip_voice", "poly_voice", "note_voice")),
    *(f"sources/{name}.py" for name in ("tape_source", "playhead", "motion", "mel_colour", "ramps")),
    *(f"sources/{name}.py" for name in ("glide", "frames", "frame_queue", "clip", "notes")),
    *("schedule/queue.py", "effects/chain.py", "effects/knob.py", "effects/limiter.py"),
    *("core/messages.py", "core/rings.py", "core/smoothing.py", "core/noise.py"),
    *("sinks/playback.py", "sinks/tap.py"),
}

# fmt: off
NOT_ON_THE_RENDER_THREAD = frozenset({
    "print", "open", "input", "exec", "eval", "sleep", "acquire", "Lock", "RLock", "Condition", "Event",
    "Semaphore", "Queue", "Thread", "wait", "getLogger", "debug", "info", "warning", "error",
    "exception", "critical", "fsync", "read_text", "write_text", "read_bytes", "write_bytes", "system",
    "Popen", "urlopen", "sendto", "recv",
})
# fmt: on
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter"}
MOST_LINES = 400


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name_of(path))


def imported(node: ast.AST) -> list[str]:
    """Return the dotted modules an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are written out in full"
        module = node.module or ""
        return [f"{module}.{alias.name}" for alias in node.names] if module == "synthhost" else [module]
    return []


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        yield from imported(node)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def forbidden_imports(room: str, tree: ast.AST) -> list[str]:
    """Return the rooms a file of `room` imports against the law."""
    if room in KNOW_EVERY_ROOM:
        return []
    allowed = {"core", room} | ALSO_IMPORTS.get(room, set())
    rooms = [module.split(".")[1] for module in imports(tree) if module.startswith("synthhost.")]
    return sorted({found for found in rooms if found not in allowed})


def render_thread_faults(tree: ast.AST, *, all_functions: bool = False) -> list[str]:
    """Return what functions tagged [render thread] call or wait for against the rule."""
    faults = []
    for function in functions(tree):
        tagged = (ast.get_docstring(function) or "").rstrip().endswith("[render thread]")
        if not (tagged or all_functions):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in NOT_ON_THE_RENDER_THREAD:
                    faults.append(f"{function.name}: {name}()")
            if isinstance(node, ast.Await | ast.AsyncWith):
                faults.append(f"{function.name}: waits")
            if isinstance(node, ast.With) and "lock" in ast.unparse(node.items[0].context_expr).lower():
                faults.append(f"{function.name}: with {ast.unparse(node.items[0].context_expr)}")
    return faults


def mutable_attributes(tree: ast.Module) -> list[str]:
    """Return the names bound at module level to something that can be changed.

    A table annotated `Final` passes: it is a constant by declaration.
    """
    found = []
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and "Final" in ast.unparse(node.annotation):
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and is_mutable(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [ast.unparse(target) for target in targets if ast.unparse(target) != "__all__"]
    return found


def is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if isinstance(value, ast.Call):
        called = value.func
        return (
            called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        ) in MUTABLE_CALLS
    return False


def test_there_is_a_package_to_check() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_core_and_itself(path: Path) -> None:
    assert not forbidden_imports(room_of(path) or "host", tree_of(path))


def test_no_room_is_allowed_what_every_room_is_kept_from() -> None:
    for allowed in ALSO_IMPORTS.values():
        assert not allowed & NOT_FOR_ROOMS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    loaded = {module.split(".")[0] for module in imports(tree_of(path))}
    assert not [
        package for package, rooms in HEAVY_IN.items() if package in loaded and room_of(path) not in rooms
    ]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_imported_inside_a_function(path: Path) -> None:
    inside = {module for function in functions(tree_of(path)) for module in imports(function)}
    assert not [module for module in inside if (name_of(path), module) not in IMPORTED_INSIDE]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_render_thread_never_waits_prints_or_opens_files(path: Path) -> None:
    faults = render_thread_faults(tree_of(path), all_functions=name_of(path) in RENDER_MODULES)
    assert not [fault for fault in faults if (name_of(path), fault) not in SLEEPS_BETWEEN_BLOCKS]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_modules_hold_no_state(path: Path) -> None:
    tree = tree_of(path)
    assert not mutable_attributes(tree)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_short_and_say_what_they_hold(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "a file begins with a sentence about what it holds"


def seconds_and_modules(code: str) -> tuple[float, set[str]]:
    """Return how long `code` takes in a fresh interpreter, in seconds, and the packages it loads."""
    timed = (
        f"import sys, time; begun = time.perf_counter(); {code}; "
        "print(time.perf_counter() - begun, *{name.split('.')[0] for name in sys.modules})"
    )
    words = subprocess.run(
        [sys.executable, "-c", timed], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(words[0]), set(words[1:])


def test_importing_the_package_loads_nothing_heavy_and_is_quick() -> None:
    runs = [seconds_and_modules("import synthhost") for _ in range(5)]
    heavy = {"torch", "pedalboard", "pydantic", "yaml", "soundfile", "sounddevice", "soxr", "typer", "rich"}
    assert not heavy & runs[0][1]
    assert min(seconds for seconds, _ in runs) < 0.2


@pytest.mark.parametrize("room", ["core", "control", "schedule", "engine", "schema"])
def test_a_light_room_loads_no_networks_effects_or_devices(room: str) -> None:
    modules = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in FILES]
    wanted = [
        module for module in modules if module.startswith(f"synthhost.{room}.") and "__init__" not in module
    ]
    _, loaded = seconds_and_modules("; ".join(f"import {module}" for module in wanted) or "pass")
    assert not {"torch", "pedalboard", "sounddevice", "soundfile", "typer"} & loaded


# The checks check themselves: each must find a fault that is there.


def test_the_import_law_finds_a_breach() -> None:
    tree = ast.parse(
        "from synthhost.engine.track import Track\nfrom synthhost import cli\nimport synthhost.core.specs"
    )
    assert forbidden_imports("effects", tree) == ["cli", "engine"]
    assert forbidden_imports("engine", tree) == ["cli"]


@pytest.mark.parametrize(
    "line",
    [
        "print(1)",
        "time.sleep(1)",
        "self._lock.acquire()",
        "with self._lock: pass",
        "open('x')",
        "log.info('')",
    ],
)
def test_the_render_thread_checker_finds_a_fault(line: str) -> None:
    code = f'def process(self):\n    """Play.\n\n    [render thread]\n    """\n    {line}\n'
    assert len(render_thread_faults(ast.parse(code))) == 1
    assert not render_thread_faults(ast.parse(code.replace("[render thread]", "")))


@pytest.mark.parametrize("line", ["a = []", "a: dict[str, int] = {}", "a = set()", "a = collections.deque()"])
def test_the_state_checker_finds_a_fault(line: str) -> None:
    assert mutable_attributes(ast.parse(line)) == ["a"]


@pytest.mark.parametrize("line", ["__all__ = ['a']", "a = (1,)", "a: Final = {}", "a = MappingProxyType({})"])
def test_the_state_checker_lets_constants_pass(line: str) -> None:
    assert not mutable_attributes(ast.parse(line))


def test_the_files_of_the_render_thread_exist() -> None:
    assert {name_of(path) for path in FILES} >= RENDER_MODULES
