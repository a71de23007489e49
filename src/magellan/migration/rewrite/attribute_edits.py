"""Uses such as `a.b.run()` after `import a.b`: they follow the module to its new name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from magellan.migration.child_nodes import child_nodes
from magellan.migration.import_statement import ImportStatement
from magellan.migration.rewrite.bindings import Binding, rebound_names
from magellan.migration.rewrite.import_edits import Importer
from magellan.migration.rewrite.interest import Interest
from magellan.migration.rewrite.module_contents import ModuleContents
from magellan.migration.rewrite.reference import Edit, Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """`a.b.c` in code, as far as it names a module."""

    parts: tuple[str, ...]  # a, b
    span: Span  # from a to b
    line: int
    scopes: tuple[ast.AST, ...]  # functions around it


@dataclass(frozen=True, slots=True, kw_only=True)
class FromImports:
    """What the `from` statements of a file load, whatever happens."""

    statements: Sequence[ImportStatement]
    importer: Importer

    def load(self, new: str, line: int, renames: Renames) -> bool:
        """Whether one above that line takes something from the module which is called so then."""
        return any(
            statement.is_from
            and not statement.under
            and statement.line < line
            and (module := self.importer.module_named(statement, renames)) is not None
            and f"{renames.new_name(module)}.".startswith(f"{new}.")
            for statement in self.statements
        )


def attribute_references(
    tree: ast.Module,
    source: Source,
    bindings: dict[str, list[Binding]],
    froms: FromImports,
    renames: Renames,
    contents: ModuleContents,
    interest: Interest,
) -> Iterator[Reference]:
    """Attribute uses that name a moved module, and the imports that they then need."""
    roots = roots_of(bindings, renames)
    if not roots:
        return
    lost = _lost_names(bindings, renames)
    if not interest and not lost:
        return
    chains = list(_chains(tree, source, roots, None if lost else interest))
    if not chains:
        return
    rebound = rebound_names(tree, source, frozenset(roots))
    imported = {each.said for found in bindings.values() for each in found if each.said}
    needed: dict[str, Binding] = {}  # modules that nothing in the file imports under their new name
    for chain in chains:
        scopes = rebound.get(chain.parts[0], [])
        if any(scope in chain.scopes for scope in scopes if scope is not None):
            continue
        named = _module_named(chain, roots[chain.parts[0]], renames, contents)
        if named is None and chain.parts[0] in lost:
            named = _itself(chain, lost[chain.parts[0]], renames, contents)
        if named is None:
            yield from _out_of_reach(chain, roots[chain.parts[0]], renames, contents)
            continue
        binding, module, length = named
        new = renames.new_name(module)
        said = _said(binding, new, renames)
        is_loaded = any(f"{renames.new_name(each)}.".startswith(f"{new}.") for each in imported)
        if said is None:
            said = new
            needed[new] = binding
        elif not is_loaded and (
            (binding.is_top and _top(said) != chain.parts[0])
            or length == 1
            or (
                _was_loaded_when_asked(module, new, renames, contents)
                and not froms.load(new, chain.line, renames)
            )
        ):
            needed[new] = binding
        old = ".".join(chain.parts[:length])
        if said == old:
            continue
        yield Reference(
            kind=ReferenceKind.ATTRIBUTE,
            line=chain.line,
            old=old,
            new=said,
            certain=None not in scopes,
            edits=_edits(chain, length, source, said),
            note="the name is also bound to something else" if None in scopes else "",
        )
    for module, binding in needed.items():
        yield _import_of(module, binding, source)


def roots_of(bindings: Mapping[str, list[Binding]], renames: Renames) -> dict[str, list[Binding]]:
    """The names through which a moved module can be reached: `a` in `a.b.c`."""
    return {
        name: found
        for name, found in bindings.items()
        if any(
            each.is_top
            or each.module in renames.parents_of_moved
            or (each.module in renames.modules and renames.before.is_package(each.module))
            for each in found
        )
    }


def _lost_names(bindings: dict[str, list[Binding]], renames: Renames) -> dict[str, Binding]:
    """Names that no longer mean their module once imports are rewritten: `a`, where `import a.b` says `import c.b`.

    Or where `a` is another package then, since its `__init__.py` has become a module of its own.
    """
    lost = {}
    for name, found in bindings.items():
        if all(
            each.is_top
            and "." in each.said
            and (_top(renames.new_name(each.said)) != name or each.module in renames.modules)
            for each in found
        ):
            lost[name] = found[0]
    return lost


def _itself(
    chain: _Chain, binding: Binding, renames: Renames, contents: ModuleContents
) -> tuple[Binding, str, int] | None:
    """The module that the chain's first name means; None where a module in it is meant that does not go with it."""
    goes = binding.module in renames.modules
    if goes and len(chain.parts) > 1 and contents.module_at(binding.module, chain.parts[1]) is not None:
        return None
    return binding, binding.module, 1


def _was_loaded_when_asked(module: str, new: str, renames: Renames, contents: ModuleContents) -> bool:
    """Whether a `__getattr__` of its package loaded the module, and the package is not the same one then."""
    package, _, leaf = module.rpartition(".")
    return contents.loads_when_asked(package, module) and new != f"{renames.new_name(package)}.{leaf}"


def _out_of_reach(
    chain: _Chain, bindings: Sequence[Binding], renames: Renames, contents: ModuleContents
) -> Iterator[Reference]:
    """A module that stays, in a package whose `__init__.py` has become a module: `import a.base as a` leads past it."""
    for binding in bindings:
        own = renames.new_name(binding.module)
        if own == binding.module or len(chain.parts) == 1:
            continue
        if "." in binding.said and _top(renames.new_name(binding.said)) == binding.name:
            continue  # that import still binds the package
        inner = contents.module_at(binding.module, chain.parts[1])
        if inner is not None and not renames.new_name(inner).startswith(f"{own}."):
            yield Reference(
                kind=ReferenceKind.ATTRIBUTE,
                line=chain.line,
                old=inner,
                new=inner,
                certain=False,
                note=f"`{binding.name}` is {own} then, and has no such module: import it by itself",
            )
            return


def _top(dotted: str) -> str:
    return dotted.partition(".")[0]


def _chains(
    tree: ast.Module, source: Source, roots: dict[str, list[Binding]], interest: Interest | None
) -> Iterator[_Chain]:
    """Uses of those names. interest: what is looked at only; None: all."""
    waiting: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(tree, ())]
    while waiting:
        node, scopes = waiting.pop()
        if (
            interest is not None
            and isinstance(node, ast.stmt)
            and not getattr(node, "decorator_list", None)
            and not interest.is_in(source.span_of(node))
        ):
            continue
        if isinstance(node, ast.Attribute):
            parts: list[str] = []
            each: ast.expr = node
            while isinstance(each, ast.Attribute):
                parts.append(each.attr)
                each = each.value
            if isinstance(each, ast.Name):
                if each.id in roots and isinstance(each.ctx, ast.Load):
                    span = source.span_of(node)
                    yield _Chain(
                        parts=(each.id, *reversed(parts)), span=span, line=node.lineno, scopes=scopes
                    )
                continue
        elif isinstance(node, ast.Name) and node.id in roots and isinstance(node.ctx, ast.Load):
            yield _Chain(parts=(node.id,), span=source.span_of(node), line=node.lineno, scopes=scopes)
            continue
        if isinstance(
            node,
            ast.FunctionDef
            | ast.AsyncFunctionDef
            | ast.Lambda
            | ast.ListComp
            | ast.SetComp
            | ast.DictComp
            | ast.GeneratorExp,
        ):
            scopes = (*scopes, node)
        waiting.extend((child, scopes) for child in child_nodes(node))


def _module_named(
    chain: _Chain, bindings: Sequence[Binding], renames: Renames, contents: ModuleContents
) -> tuple[Binding, str, int] | None:
    """The longest beginning of the chain that is a module with another name; how many parts of the chain it takes."""
    best: tuple[Binding, str, int] | None = None
    for binding in bindings:
        module, length = binding.module, 1
        for part in chain.parts[1:]:
            is_said = f"{binding.said}.".startswith(".".join(chain.parts[: length + 1]) + ".")
            inner = f"{module}.{part}"
            found = inner if is_said and renames.before.knows(inner) else contents.module_at(module, part)
            if found is None:
                break
            module, length = found, length + 1
        if length > 1 and renames.new_name(module) != module and (best is None or length > best[2]):
            best = (binding, module, length)
    return best


def _said(binding: Binding, new: str, renames: Renames) -> str | None:
    """The module as it is reached from the bound name; None where it cannot be."""
    if binding.is_top and "." in binding.said:
        return new
    own = renames.new_name(binding.module)
    if binding.is_top and own == binding.module:
        return new
    return f"{binding.name}{new[len(own) :]}" if new.startswith(f"{own}.") else None


def _edits(chain: _Chain, length: int, source: Source, said: str) -> tuple[Edit, ...]:
    """The parts of the chain that are other ones then; blanks, line ends and comments before them stay.

    Nothing where the parts do not stand there: before Python 3.12 what stands in an f-string of several lines is
    given wrong places.
    """
    old, new = chain.parts[:length], said.split(".")
    between = rb"(?:[\s\\)]|#[^\r\n]*)*\.(?:[\s\\]|#[^\r\n]*)*"
    pattern = between.join(b"(" + re.escape(part.encode()) + b")" for part in old)
    found = re.compile(pattern).match(source.utf8, chain.span.start)
    if found is None:
        return ()
    same = 0
    while same < min(length, len(new)) - 1 and old[same] == new[same]:
        same += 1
    span = Span(found.start(same + 1), found.end(length))
    return (Edit(span=span, text=".".join(new[same:]).encode()),)


def _import_of(module: str, binding: Binding, source: Source) -> Reference:
    """An import that stands behind the one which bound the name."""
    statement = binding.statement
    if not statement.is_from and len(statement.names) >= 1:
        edit = Edit(span=Span(statement.span.end, statement.span.end), text=f", {module}".encode())
    else:
        edit = Edit(span=Span(statement.span.end, statement.span.end), text=f"; import {module}".encode())
    return Reference(
        kind=ReferenceKind.IMPORT,
        line=statement.line,
        old="",
        new=module,
        certain=True,
        edits=(edit,),
        note="a use of it further down needs the import",
    )
