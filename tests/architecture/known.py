"""What still breaks a rule, by name.

An entry that is no longer true fails a test, too: a list can only shrink.
"""

from __future__ import annotations

CYCLES: set[frozenset[str]] = {
    frozenset({"runner.generate.in_place", "runner.generate.names", "runner.generate.view"}),
    frozenset({"runner.lint.blocks", "runner.lint.steps"}),
}
IMPORTS_ACROSS = {("pyorm.testing", "runner.postgres.embedded")}

# What tests do to a server of their own.
OF_TESTS = {
    "runner.postgres.embedded.EmbeddedServer.crash",
    "runner.postgres.embedded.EmbeddedServer.restart",
}
# Called by templates alone, where neither mypy nor a reader's search sees it.
UNCALLED: set[str] = {
    "runner.review.report.build.File.strongest",
    "runner.generate.in_place.InPlace.clauses",
    "runner.generate.in_place.InPlace.clauses_back",
    "runner.generate.in_place.InPlace.comment_again",
    "runner.generate.in_place.InPlace.settings_back",
    "runner.generate.model.ColumnChange.aside",
    "runner.generate.model.IndexChange.removal",
    "runner.generate.names.Names.contract_renames",
    "runner.generate.names.Names.crowded_not_null",
    "runner.generate.names.Names.new_not_nulls",
    "runner.generate.names.Names.sequence_renames",
    "runner.generate.names.Names.under_new_names",
    "runner.generate.names.Names.unnamed",
    "runner.generate.names.Names.window_renames",
    "runner.generate.partitions.Partitions.all",
    "runner.generate.partitions.Partitions.timing",
    "runner.generate.remake.Remake.clauses",
    "runner.generate.remake.Remake.kept_indexes",
    "runner.generate.remake.Remake.kept_not_null",
    "runner.generate.remake.Remake.old_indexes",
    "runner.generate.remake.Remake.old_keys",
    "runner.generate.remake.Remake.plain",
    "runner.generate.remake.Remake.referenced",
    "runner.generate.remake.Remake.referring",
    "runner.generate.remake.Remake.remakes",
    "runner.generate.remake.Remake.sequence_defaults",
    "runner.generate.unit.Unit.old_options",
    "runner.generate.unit.Unit.remade_with",
    "runner.generate.view.TableView.as_new",
    "runner.generate.view.TableView.as_old",
    "runner.generate.view.TableView.carried_comments",
    "runner.generate.view.TableView.converted_row",
    "runner.generate.view.TableView.cut_names",
    "runner.generate.view.TableView.derive_old",
    "runner.generate.view.TableView.kept_row",
    "runner.generate.view.TableView.key_value",
    "runner.generate.view.TableView.looks_up",
    "runner.generate.view.TableView.new_settings",
    "runner.generate.view.TableView.old_side_empty",
    "runner.generate.view.TableView.respelled_indexes",
    "runner.generate.view.TableView.same_key",
    "runner.generate.view.TableView.shown",
    "runner.generate.view.TableView.slice",
    "runner.generate.view.TableView.tells_moved_rows",
    "runner.generate.view.TableView.twin_keys",
    "runner.generate.view.TableView.unconverted_rows",
}
