"""The printed schema."""

from __future__ import annotations

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_introspection_type,
    is_specified_scalar_type,
)

from app.execution.strawberry_schema import core_schema
from app.schema import schema
from app.schema.sdl import print_sdl

PRINTED = Path(__file__).parents[2] / "schema.graphql"


def test_the_printed_schema_is_the_schema() -> None:
    assert PRINTED.read_text() == print_sdl(), (
        "schema.graphql differs from the code: run `scrollback schema > schema.graphql`"
    )


def test_everything_has_a_description() -> None:
    missing = []
    for type_ in core_schema(schema).type_map.values():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        if not type_.description:
            missing.append(type_.name)
        if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            for name, field in type_.fields.items():
                if not field.description:
                    missing.append(f"{type_.name}.{name}")
                missing += [
                    f"{type_.name}.{name}({argument})"
                    for argument, of in field.args.items()
                    if not of.description
                ]
        elif isinstance(type_, GraphQLInputObjectType):
            missing += [
                f"{type_.name}.{name}"
                for name, input_field in type_.fields.items()
                if not input_field.description
            ]
        elif isinstance(type_, GraphQLEnumType):
            missing += [
                f"{type_.name}.{name}"
                for name, value in type_.values.items()
                if not value.description
            ]
    assert missing == []


def test_root_fields_and_payload_objects_are_nullable_and_lists_of_nodes_align() -> None:
    core = core_schema(schema)
    roots = [core.query_type, core.mutation_type, core.subscription_type]
    non_null = {
        f"{root.name}.{name}": str(field.type)
        for root in roots
        if root is not None
        for name, field in root.fields.items()
        if str(field.type).endswith("!")
    }
    assert non_null == {"Query.nodes": "[Node]!"}
    assert core.mutation_type is not None
    for name, field in core.mutation_type.fields.items():
        payload = core.get_type(f"{name[0].upper()}{name[1:]}Payload")
        assert isinstance(payload, GraphQLObjectType)
        assert field.type is payload
        always = {
            each: str(of.type) for each, of in payload.fields.items() if str(of.type)[-1] == "!"
        }
        assert always == {"query": "Query!", "userErrors": "[UserError!]!"}
        assert list(field.args) == ["input"]
        given = field.args["input"].type.of_type
        assert given.name == f"{name[0].upper()}{name[1:]}Input"
        # To register is to say how things are: done again, it is the same without a key.
        assert ("idempotencyKey" in given.fields) is not name.startswith("register")


def test_a_message_part_is_one_of_its_kinds() -> None:
    assert "input MessagePartInput @oneOf {" in print_sdl()


def test_fields_of_one_name_can_be_selected_together() -> None:
    core = core_schema(schema)
    for type_ in core.type_map.values():
        if isinstance(type_, GraphQLInterfaceType):
            seen: dict[str, str] = {}
            for member in core.get_possible_types(type_):
                for name, field in member.fields.items():
                    assert seen.setdefault(name, str(field.type)) == str(field.type), (
                        f"{name} of the kinds of {type_.name} differs, so no query selects both"
                    )
