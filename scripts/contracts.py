"""Two import contracts that import-linter does not bring: who a few files may import, and who may import a package."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Found = list[tuple[str, str]]


def _within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


class _DirectImports(Contract):
    """A contract that is broken by single import lines; `offending` finds them."""

    def offending(self, graph: ImportGraph) -> Found:
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = self.offending(graph)
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["found"]:
            output.print_error(f"{importer} imports {imported}", bold=False)
        output.new_line()


class ImportsOnly(_DirectImports):
    """These modules import the standard library and what is allowed; a module that is not there yet keeps the contract."""

    modules = fields.SetField(subfield=fields.StringField())
    allowed = fields.SetField(subfield=fields.StringField())

    def offending(self, graph: ImportGraph) -> Found:
        allowed = set(self.allowed) | set(sys.stdlib_module_names)
        present = sorted(module for module in self.modules if module in graph.modules)
        imports = [(m, imported) for m in present for imported in sorted(graph.find_modules_directly_imported_by(m))]
        return [(m, imported) for m, imported in imports if not _within(imported, allowed)]


class ImportedOnlyBy(_DirectImports):
    """Nobody outside this package imports it, except these."""

    module = fields.StringField()
    importers = fields.SetField(subfield=fields.StringField(), required=False)

    def offending(self, graph: ImportGraph) -> Found:
        welcome = set(self.importers or ()) | {self.module}
        inside = [module for module in sorted(graph.modules) if _within(module, {self.module})]
        imports = [(importer, module) for module in inside for importer in sorted(graph.find_modules_that_directly_import(module))]
        return [(importer, module) for importer, module in imports if not _within(importer, welcome)]
