"""Records that library functions share with their callers: fields of eight bytes, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ..llvm import Function, Value, i64


class Record:
    """The layout of a record."""

    def __init__(self, *names: str):
        self.place = {name: i for i, name in enumerate(names)}

    def array(self, values: dict[str, int]) -> list[int]:
        """The record with these values, zero elsewhere."""
        if unknown := values.keys() - self.place.keys():
            raise KeyError(f"no fields {sorted(unknown)}")
        return [values.get(name, 0) for name in self.place]

    def get(self, f: Function, record: Value, name: str, type: str = "i64") -> Value:
        return f.load(type, f.gep("i64", record, i64(self.place[name])))

    def gets(self, f: Function, record: Value, names: str) -> list[Value]:
        return [self.get(f, record, name) for name in names.split()]

    def set(self, f: Function, record: Value, **values: Value) -> None:
        for name, x in values.items():
            f.store(x, f.gep("i64", record, i64(self.place[name])))

    def new(self, f: Function) -> Value:
        return f.alloca("i64", len(self.place))


def batch_fields(count: int) -> Sequence[str]:
    return [f"{part}{i}" for i in range(count) for part in ("size", "batch_a", "batch_b", "batch_c")]
