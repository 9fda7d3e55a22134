"""A service whose every name has to be quoted, and its standard."""

from __future__ import annotations

from runner.standard import EnumStandard, Standard, TableStandard

COLOURS = EnumStandard("Colour", ("RED", "GREEN"))

SCHEMA = '''
CREATE TABLE public."Order's 100%s" (
    "Id of ""it""" text PRIMARY KEY,
    "user" varchar(36) REFERENCES public."Order's 100%s",
    "k0 {x}" varchar(20) DEFAULT 'red',
    "Colours" varchar[] NOT NULL DEFAULT '{red}'
);
'''

STANDARD = Standard(
    "odd",
    "public",
    (
        TableStandard(
            "public",
            "Order's 100%s",
            "Order %s",
            uuids=('Id of "it"', "user"),
            enums={"k0 {x}": COLOURS, "Colours": COLOURS},
        ),
    ),
)
