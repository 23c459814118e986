"""Rows: arrays that compiled code passes around cheaply, as a pointer and a length.

Numba counts references of every array at every call and copies records byte by byte. The search
calls many small functions on a dozen arrays of records, where that costs ten times the work itself.
A `Rows` owns no memory and has no reference count, and assigning a record to it is one memcpy. It
is safe because the kernels hold the underlying arrays while they run; indices are not checked.

`States` are rows of positions of any game: how many bytes each has is known at run time only. An
item is the address of a position, and assigning one position to another copies it.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model
from numpy.typing import NDArray

from envs.compiled.jitable import jitable

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


class ItemsType(types.Type):
    """The Numba type of Rows or States: what an index gives, and takes, is of the type `item`."""

    def __init__(self, name: str, item: types.Type) -> None:
        self.item = item
        super().__init__(name=name)


class RowsType(ItemsType):
    """The Numba type of Rows with items of `dtype`, a Record or a scalar."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(f"Rows({dtype})", dtype)


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
        if isinstance(args[0], ItemsType) and isinstance(args[1], types.Integer):
            return signature(args[0].item, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], ItemsType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.intp, args[0].item)
        return None


@infer_global(len)
class _Len(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.intp, args[0]) if isinstance(args[0], ItemsType) else None


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


@lower_builtin(len, ItemsType)
def _lower_len(context, builder, sig, args):
    return _struct(context, builder, sig.args[0], args[0]).size


def _require_contiguous(array):
    """Refuse to compile code for arrays of another layout, whose items lie elsewhere."""
    if array.layout != "C":
        raise TypingError(f"expected a C-contiguous array, got {array}")


@intrinsic
def _rows_of(typing_context, array):
    """Return all items of a C-contiguous array, flattened."""
    _require_contiguous(array)
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
def _rows_at(typing_context, pointer, count):
    """Return `count` items from a pointer on."""
    rows_type = RowsType(pointer.dtype)

    def codegen(context, builder, sig, args):
        rows = _struct(context, builder, rows_type)
        rows.data, rows.size = args
        return rows._getvalue()

    return rows_type(pointer, types.intp), codegen


rows_at: Any = _rows_at


@intrinsic
def _pointer(typing_context, rows):
    def codegen(context, builder, sig, args):
        return _struct(context, builder, sig.args[0], args[0]).data

    return types.CPointer(rows.dtype)(rows), codegen


pointer_of: Any = _pointer


@jitable
def row_of(array: Any, t: Any) -> Any:
    """Return row t of a C-contiguous 2-d array, without a division, which would cost 20 ns."""
    count = array.shape[1]
    return part_of(rows_of(array), t * count, count)


@jitable
def array_of(rows, start, count):
    """Return the items from `start` on as an array [count], for code that needs an array."""
    return carray(pointer_of(part_of(rows, start, count)), (count,))


class StatesType(ItemsType):
    """The Numba type of States."""

    def __init__(self) -> None:
        super().__init__("States", types.voidptr)


states_type = StatesType()


@register_model(StatesType)
class StatesModel(models.StructModel):
    """A data pointer, the number of positions, and the bytes of each."""

    def __init__(self, manager, fe_type):
        members = [("data", types.voidptr), ("size", types.intp), ("itemsize", types.intp)]
        super().__init__(manager, fe_type, members)


def _state_at(builder, states, index):
    return builder.gep(states.data, [builder.mul(index, states.itemsize)])


@lower_builtin(operator.getitem, StatesType, types.intp)
def _lower_get_state(context, builder, sig, args):
    return _state_at(builder, _struct(context, builder, sig.args[0], args[0]), args[1])


@lower_builtin(operator.setitem, StatesType, types.intp, types.voidptr)
def _lower_set_state(context, builder, sig, args):
    states = _struct(context, builder, sig.args[0], args[0])
    place = _state_at(builder, states, args[1])
    cgutils.raw_memcpy(builder, place, args[2], states.itemsize, itemsize=1)
    return context.get_dummy_value()


@intrinsic
def _states_from(typing_context, array, first, count, itemsize):
    """Return `count` positions of `itemsize` bytes of a C-contiguous uint8 array."""
    _require_contiguous(array)

    def codegen(context, builder, sig, args):
        source = context.make_array(sig.args[0])(context, builder, args[0])
        states = _struct(context, builder, states_type)
        states.data = builder.gep(source.data, [builder.mul(args[1], args[3])])
        states.size, states.itemsize = args[2], args[3]
        return states._getvalue()

    return states_type(array, types.intp, types.intp, types.intp), codegen


states_from: Any = _states_from


def bytes_of(states: NDArray[Any]) -> NDArray[np.uint8]:
    """Return records [..., n] as uint8 [..., n, bytes of a record], which kernels of any game take.

    The bytes are those of the records, not a copy. Raises ValueError for records that do not lie
    one after the other.
    """
    if not (states.flags.c_contiguous and states.flags.aligned):
        raise ValueError(f"expected contiguous positions, got strides of {states.strides} bytes")
    return states.view(np.uint8).reshape(*states.shape, states.itemsize)


@jitable
def states_of(array: Any) -> Any:
    """Return the positions of a C-contiguous uint8 array [n, bytes]."""
    return states_from(array, 0, array.shape[0], array.shape[1])


@jitable
def states_row(array: Any, t: Any) -> Any:
    """Return the positions of row t of a C-contiguous uint8 array [rows, n, bytes]."""
    count = array.shape[1]
    return states_from(array, t * count, count, array.shape[2])
