"""Rows: arrays that compiled code passes around cheaply, as a pointer and a length.

Numba counts references of every array at every call and copies records byte by byte. The search
calls many small functions on a dozen arrays of records, where that costs ten times the work itself.
A `Rows` owns no memory and has no reference count, and assigning a record to it is one memcpy. It
is safe because the kernels hold the underlying arrays while they run; indices are not checked.
"""

from __future__ import annotations

import operator
from typing import Any

from numba import carray, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_jitable, register_model

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


class RowsType(types.Type):
    """The Numba type of Rows with items of `dtype`, a Record or a scalar."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"Rows({dtype})")


@register_model(RowsType)
class RowsModel(models.StructModel):
    """A data pointer and the number of items."""

    def __init__(self, manager, rows_type):
        members = [("data", types.CPointer(rows_type.dtype)), ("size", types.intp)]
        super().__init__(manager, rows_type, members)


def _struct(context, builder, rows_type, value=None):
    return cgutils.create_struct_proxy(rows_type)(context, builder, value=value)


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], RowsType) and isinstance(args[1], types.Integer):
            return signature(args[0].dtype, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], RowsType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.intp, args[0].dtype)
        return None


@infer_global(len)
class _Len(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.intp, args[0]) if isinstance(args[0], RowsType) else None


@lower_builtin(operator.getitem, RowsType, types.intp)
def _lower_getitem(context, builder, sig, args):
    pointer = builder.gep(_struct(context, builder, sig.args[0], args[0]).data, [args[1]])
    return context.unpack_value(builder, sig.args[0].dtype, pointer)


@lower_builtin(operator.setitem, RowsType, types.intp, types.Any)
def _lower_setitem(context, builder, sig, args):
    rows, index, item = args
    dtype = sig.args[0].dtype
    pointer = builder.gep(_struct(context, builder, sig.args[0], rows).data, [index])
    if isinstance(dtype, types.Record):
        size = context.get_constant(types.intp, dtype.size)
        cgutils.raw_memcpy(builder, pointer, item, size, itemsize=1)
    else:
        context.pack_value(builder, dtype, item, pointer)
    return context.get_dummy_value()


@lower_builtin(len, RowsType)
def _lower_len(context, builder, sig, args):
    return _struct(context, builder, sig.args[0], args[0]).size


@intrinsic
def _rows_of(typing_context, array):
    """Return all items of a C-contiguous array, flattened."""
    rows_type = RowsType(array.dtype)

    def codegen(context, builder, sig, args):
        source = context.make_array(sig.args[0])(context, builder, args[0])
        rows = _struct(context, builder, rows_type)
        rows.data, rows.size = source.data, source.nitems
        return rows._getvalue()

    return rows_type(array), codegen


@intrinsic
def _part_of(typing_context, rows, start, count):
    """Return `count` items from `start` on."""

    def codegen(context, builder, sig, args):
        source = _struct(context, builder, sig.args[0], args[0])
        part = _struct(context, builder, sig.args[0])
        part.data, part.size = builder.gep(source.data, [args[1]]), args[2]
        return part._getvalue()

    return rows(rows, types.intp, types.intp), codegen


rows_of: Any = _rows_of  # for mypy, callers would have to pass the typing context
part_of: Any = _part_of


@intrinsic
def _pointer(typing_context, rows):
    def codegen(context, builder, sig, args):
        return _struct(context, builder, sig.args[0], args[0]).data

    return types.CPointer(rows.dtype)(rows), codegen


pointer_of: Any = _pointer


@register_jitable
def row_of(array: Any, t: Any) -> Any:
    """Return row t of a C-contiguous 2-d array, without a division, which would cost 20 ns."""
    count = array.shape[1]
    return part_of(rows_of(array), t * count, count)


@register_jitable
def array_of(rows, start, count):
    """Return the items from `start` on as an array [count], for code that needs an array."""
    return carray(pointer_of(part_of(rows, start, count)), (count,))
