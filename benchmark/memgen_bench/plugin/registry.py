"""All registered specifications, and the plugin that each of them comes from."""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import pluggy

from memgen_bench.errors import PluginError, UsageError, is_fault, one_line
from memgen_bench.files.places import named_path
from memgen_bench.global_state import preserved
from memgen_bench.plugin import given_parameters, hookspecs
from memgen_bench.plugin.composition import (
    ARROW,
    AT,
    BESIDE,
    beside,
    compose,
    fitted_on,
    split_points,
)
from memgen_bench.plugin.given_parameters import with_parameters
from memgen_bench.plugin.specs import (
    DatasetSpec,
    DecoderSpec,
    EngineSpec,
    Family,
    FeaturesSpec,
    ModelSpec,
    NoiseSpec,
    Spec,
)
from memgen_bench.protocol import READOUT

if TYPE_CHECKING:
    from types import ModuleType

S = TypeVar("S", bound=Spec)

# noun in messages, hook, type of specification
_KINDS: dict[str, tuple[str, type[Spec]]] = {
    "model": ("register_models", ModelSpec),
    "feature": ("register_features", FeaturesSpec),
    "dataset": ("register_datasets", DatasetSpec),
    "decoder": ("register_decoders", DecoderSpec),
    "noise": ("register_noises", NoiseSpec),
    "engine": ("register_engines", EngineSpec),
}
# Names that need no quoting in file names, URLs and shells.
_NAME = re.compile(r"[a-z0-9][a-z0-9._>+-]*(/[A-Za-z0-9._>+-]+)*")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A plugin: its name, the distribution that brought it, and its file."""

    name: str
    distribution: str
    version: str
    file: str

    @property
    def release(self) -> str:
        """The distribution and its version, for the results."""
        return f"{self.distribution} {self.version}"

    def __str__(self) -> str:
        if self.distribution == "file":
            return f"plugin {self.file}"
        return f"plugin {self.name!r} of {self.distribution} {self.version} ({self.file})"


@dataclass(frozen=True)
class Problem:
    """A plugin that cannot be used, the reason, and the (noun, name) pairs in conflict."""

    plugin: Plugin
    message: str
    names: frozenset[tuple[str, str]] = frozenset()

    def __str__(self) -> str:
        return f"{self.plugin}: {self.message}"


class Catalogue(Mapping[str, S], Generic[S]):
    """A sorted mapping from name to specification; families resolve any of their members.

    Args:
        noun: The kind of its specifications, such as `decoder`.
        compose: Function that composes the specifications of a name with arrows, `a>b`.
    """

    def __init__(self, noun: str, compose: Callable[[str, list[S]], S] | None = None) -> None:
        self.noun, self._compose = noun, compose
        self.families: dict[str, Family[S]] = {}
        self._specs: dict[str, S] = {}
        self._plugins: dict[str, Plugin] = {}
        self._problems: list[Problem] = []

    def __getitem__(self, name: str) -> S:
        if name in self._specs:
            return self._specs[name]
        for prefix, family in self.families.items():
            if name.startswith(prefix):
                return self._resolve(family, name)
        if self._compose and AT in name:
            decoder, points = split_points(name)
            assert points is not None  # since there is an AT
            return cast("S", fitted_on(cast("DecoderSpec", self[decoder]), points))
        if self._compose and BESIDE in name:
            decoder, _, features = name.rpartition(BESIDE)
            spec = cast("DecoderSpec", self[decoder])
            return cast("S", beside(f"{spec.name}{BESIDE}{features}", spec, features))
        if self._compose and len(stages := self.stages(name)) > 1:
            specs = [self[part] for part in stages]
            return self._compose(ARROW.join(spec.name for spec in specs), specs)
        if self._compose and (parts := given_parameters.split(name))[1]:
            base, given = parts
            return cast("S", with_parameters(cast("DecoderSpec", self[base]), given))
        raise KeyError(self._unknown(name))

    def stages(self, name: str) -> list[str]:
        """Return the decoders that a name is composed of; a simple name is the only one."""
        if name in self._specs or not self._compose:
            return [name]
        return name.partition(AT)[0].partition(BESIDE)[0].split(ARROW)

    def __iter__(self) -> Iterator[str]:
        featured = [name for family in self.families.values() for name in family.featured]
        return iter(sorted([*self._specs, *featured]))

    def __len__(self) -> int:
        return len(self._specs) + sum(len(f.featured) for f in self.families.values())

    def find(self, name: str) -> S:
        """Return the specification of a name that a user typed.

        Raises:
            UsageError: There is none; the message names similar ones.
            PluginError: Two plugins offer this name; the user must remove one of them.
        """
        for problem in self._problems:
            parts = (part.partition("[")[0] for part in self.stages(name))
            if any((self.noun, part) in problem.names for part in parts):
                raise PluginError(str(problem))
        try:
            return self[name]
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None

    def plugin(self, name: str) -> Plugin:
        """Return the plugin that offers a name, which is one of `stages`."""
        name = name.partition("[")[0]  # parameters are not the plugin's
        if name in self._plugins:
            return self._plugins[name]
        for prefix in self.families:
            if name.startswith(prefix):
                return self._plugins[prefix]
        raise KeyError(self._unknown(name))

    def add(self, item: S | Family[S], plugin: Plugin) -> None:
        """Add a specification or a family of a plugin; its name must be free."""
        if isinstance(item, Family):
            self.families[item.prefix] = item
        else:
            self._specs[item.name] = item
        self._plugins[_key(item)] = plugin

    def _resolve(self, family: Family[S], name: str) -> S:
        try:
            return family.resolve(name)
        except KeyError:
            close = difflib.get_close_matches(name, list(family.members()), n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise KeyError(f"there is no {self.noun} {name!r}{hint}") from None

    def _prefixed(self, name: str) -> list[str]:
        """Return the members of families that are called so but for the prefix."""
        found = []
        for prefix, family in self.families.items():
            with suppress(Exception):  # a hint must not fail for another plugin
                found.append(family.resolve(f"{prefix}{name}").name)
        return found

    def _unknown(self, name: str) -> str:
        close = difflib.get_close_matches(name, [*self, *self.families], n=3)
        is_folder = os.path.isdir(name)  # noqa: PTH112 - false for all that is no path, too
        close = close or (self._prefixed(name) if is_folder else [])
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(self)}"
        broken = ", ".join(problem.plugin.name for problem in self._problems)
        unless = f" (unless it comes from a broken plugin: {broken})" if broken else ""
        return f"there is no {self.noun} {name!r}; {hint}{unless}"


@dataclass(frozen=True)
class Registry:
    """Everything that can be benchmarked, by name.

    Attributes:
        models: Specifications of models.
        features: Specifications of label-free features.
        datasets: Specifications of data sets.
        decoders: Specifications of decoders.
        noises: Specifications of noises.
        engines: Specifications of engines.
        plugins: The plugins that were loaded, in order.
        problems: The plugins that could not be loaded, with the reasons.
    """

    models: Catalogue[ModelSpec] = field(default_factory=lambda: Catalogue("model"))
    features: Catalogue[FeaturesSpec] = field(default_factory=lambda: Catalogue("feature"))
    datasets: Catalogue[DatasetSpec] = field(default_factory=lambda: Catalogue("dataset"))
    decoders: Catalogue[DecoderSpec] = field(default_factory=lambda: Catalogue("decoder", compose))
    noises: Catalogue[NoiseSpec] = field(default_factory=lambda: Catalogue("noise"))
    engines: Catalogue[EngineSpec] = field(default_factory=lambda: Catalogue("engine"))
    plugins: list[Plugin] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def catalogue(self, noun: str) -> Catalogue[Any]:
        """Return the catalogue of `model`, `feature`, `dataset`, `decoder`, `noise` or `engine`."""
        found: Catalogue[Any] = getattr(self, f"{noun}s")
        return found

    def add_problem(self, problem: Problem) -> None:
        """Record a broken plugin, here and in every catalogue."""
        self.problems.append(problem)
        for noun in _KINDS:
            self.catalogue(noun)._problems.append(problem)


def plugin_manager() -> pluggy.PluginManager:
    """Return a plugin manager that has the hooks but no plugin yet."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load_registry(plugin_files: Iterable[str | Path] = ()) -> Registry:
    """Load all installed plugins (entry-point group `memgen_bench`) and the given files.

    Args:
        plugin_files: Python files with hook implementations that are not installed; a file that is
            installed too is loaded only once.

    Returns:
        The registry. A broken *installed* plugin is listed in `problems`; the others still load.

    Raises:
        PluginError: A file named in `plugin_files` is broken.
        UsageError: A file named in `plugin_files` does not exist.
    """
    registry, manager = Registry(), plugin_manager()
    for entry_point, plugin in _installed():
        try:
            with nullcontext() if entry_point.module.startswith(_OURS) else preserved():
                _register(registry, manager, _import_entry_point(entry_point), plugin)
        except _Broken as broken:
            registry.add_problem(Problem(plugin, str(broken), broken.names))
    for path in map(named_path, plugin_files):
        if any(path.resolve() == Path(plugin.file).resolve() for plugin in registry.plugins):
            continue  # loaded already, as an installed plugin
        plugin = Plugin(name=path.stem, distribution="file", version="-", file=str(path))
        _let_import_neighbours(path)
        try:
            with preserved():
                _register(registry, manager, _import_file(path), plugin)
        except _Broken as broken:
            raise PluginError(f"{plugin}: {broken}") from broken.__cause__
    return registry


_OURS = "memgen_plugins."  # modules of plugins that ship; a test sees that they change nothing


class _Broken(Exception):  # noqa: N818 - never leaves this module
    """A plugin cannot be used; `names` holds the (noun, name) pairs in conflict."""

    def __init__(self, message: str, names: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.names = frozenset(names)


def _installed() -> list[tuple[importlib.metadata.EntryPoint, Plugin]]:
    """Return the installed plugins, those of this distribution first."""
    found, release = [], cache(_release)  # which reads a file anew each time
    for entry_point in importlib.metadata.entry_points(group=hookspecs.PROJECT):
        distribution, version = release(entry_point.dist)
        plugin = Plugin(
            name=entry_point.name,
            distribution=distribution,
            version=version,
            file=_file_of(entry_point.module),
        )
        found.append((entry_point, plugin))
    found.sort(key=lambda pair: (pair[1].distribution != "memgen-bench", str(pair[1])))
    return found


def _release(distribution: importlib.metadata.Distribution | None) -> tuple[str, str]:
    """Return the name and version of a distribution."""
    if distribution is None:
        return "unknown", "-"
    return distribution.name, distribution.version


def _file_of(module: str) -> str:
    """Return a module's file, or its name if it has none, without importing it."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    return (found.origin if found else None) or module


def _import_entry_point(entry_point: importlib.metadata.EntryPoint) -> Any:
    try:
        return entry_point.load()
    except BaseException as error:
        _reraise_interrupt(error)
        raise _Broken(f"fails on import with {one_line(error)}; mend or uninstall it") from error


def _let_import_neighbours(path: Path) -> None:
    """Let a file import its neighbours, as scripts may, after all that is installed."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"--plugin {path}: there is no such file")
    name = f"memgen_plugin_file_{re.sub(r'[^0-9a-zA-Z]', '_', str(path.resolve()))}"
    module_spec = importlib.util.spec_from_file_location(name, path)
    if module_spec is None or module_spec.loader is None:
        raise UsageError(f"--plugin {path}: not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module  # pickle and dataclasses look a class's module up here
    try:
        module_spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        _reraise_interrupt(error)
        raise _Broken(f"fails on import with {one_line(error)}; mend the file") from error
    return module


def _reraise_interrupt(error: BaseException) -> None:
    if not is_fault(error):
        raise error


def _register(
    registry: Registry, manager: pluggy.PluginManager, module: Any, plugin: Plugin
) -> None:
    """Register a plugin and all its specifications; if one is wrong, register none."""
    unique = f"{plugin.distribution}:{plugin.file}"
    try:
        manager.register(module, name=unique)
        manager.check_pending()
        if not manager.get_hookcallers(module):
            raise _Broken(
                f"implements none of the hooks {', '.join(h for h, _ in _KINDS.values())}; "
                "mark a function with @memgen_bench.hookimpl"
            )
        offered = [
            (noun, item)
            for noun, (hook, spec_type) in _KINDS.items()
            for item in _offers(manager, module, hook, spec_type)
        ]
        _check_names(registry, offered)
    except (pluggy.PluginValidationError, ValueError) as error:
        _forget(manager, unique)
        reason = one_line(error).removeprefix("PluginValidationError: ")
        reason = reason.replace(f" in plugin {module!r}", "")
        raise _Broken(
            f"{reason}; {_meant(module)}the hooks are in memgen_bench.plugin.hookspecs"
        ) from error
    except _Broken:
        _forget(manager, unique)
        raise
    for noun, item in offered:
        registry.catalogue(noun).add(item, plugin)
    registry.plugins.append(plugin)


def _meant(module: Any) -> str:
    """Return the hooks that a module's misspelt ones resemble."""
    hooks = [hook for hook, _ in _KINDS.values()]
    mark = f"{hookspecs.PROJECT}_impl"
    named = [name for name, value in vars(module).items() if hasattr(value, mark)]
    close = [difflib.get_close_matches(name, hooks, n=1) for name in named if name not in hooks]
    meant = " and ".join(found[0] for found in close if found)
    return f"did you mean {meant}? " if meant else ""


def _forget(manager: pluggy.PluginManager, name: str) -> None:
    if manager.has_plugin(name):
        manager.unregister(name=name)


def _offers(
    manager: pluggy.PluginManager, module: Any, hook: str, spec_type: type[Spec]
) -> list[Any]:
    """Call one hook of one plugin, check the specifications, and return them."""
    others = [p for p in manager.get_plugins() if p is not module]
    caller = manager.subset_hook_caller(hook, others)
    try:
        results = caller()
        for result in results:
            if isinstance(result, spec_type | Family):
                raise _Broken(f"hook {hook} returned one {type(result).__name__}; put it in a list")
        items = [item for result in results for item in result]
    except _Broken:
        raise
    except BaseException as error:
        _reraise_interrupt(error)
        raise _Broken(f"hook {hook} fails with {one_line(error)}; mend it") from error
    if caller.get_hookimpls() and not results:  # pluggy drops a None
        raise _Broken(f"hook {hook} returned None; return a list of {spec_type.__name__}")
    for item in items:
        if not isinstance(item, spec_type | Family):
            raise _Broken(
                f"hook {hook} returned {type(item).__name__} {item!r:.60}, "
                f"not a {spec_type.__name__}; return a list of {spec_type.__name__}"
            )
        _check_name(item, hook)
    return items


def _check_name(item: Any, hook: str) -> None:
    name: Any = item.prefix if isinstance(item, Family) else item.name
    if not isinstance(name, str):
        raise _Broken(f"hook {hook}: the name {name!r} is not text")
    if isinstance(item, Family):
        if not name.endswith("/"):
            raise _Broken(f"hook {hook}: the prefix {name!r} of a family must end in a slash")
        name = name.removesuffix("/")
    if not _NAME.fullmatch(name):
        raise _Broken(f"hook {hook}: {name!r} is no name; use a-z, 0-9, '.', '_', '-'")
    if name == READOUT:
        raise _Broken(f"hook {hook}: {name!r} is the network's own readout; choose another name")


def _check_names(registry: Registry, offered: list[tuple[str, Any]]) -> None:
    seen: set[tuple[str, str]] = set()
    for noun, item in offered:
        key, catalogue, hook = _key(item), registry.catalogue(noun), _KINDS[noun][0]
        if key in catalogue._plugins:
            other = catalogue._plugins[key]
            raise _Broken(
                f"hook {hook}: the {noun} {key!r} is already taken by {other}; rename it",
                [(noun, key)],
            )
        if (noun, key) in seen:
            raise _Broken(f"hook {hook} offers {key!r} twice; rename one", [(noun, key)])
        seen.add((noun, key))


def _key(item: Any) -> str:
    return str(item.prefix if isinstance(item, Family) else item.name)
