"""Calls of compiled functions by their address, so that a caller need not be compiled for them.

What takes a game's record is compiled once for each game, and so is all that calls it. The search
is long and the same for every game: it has the addresses of a game's rules in a table, and is
compiled once.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from typing import Any

from numba import carray, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.extending import intrinsic

from envs.compiled.jitable import jitable

# The functions are called by address alone, and take pointers: no wrappers for Python or C.
BY_ADDRESS: Any = {
    "cache": True,
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def prototype(returns: Any, *parameters: Any) -> Any:
    """Return what calls a compiled function by its address: call(address, (argument, ...)).

    Args:
        returns: the function's Numba type.
        parameters: their Numba types; `types.voidptr` for a pointer to a record of any kind.
    """

    def call(typing_context, address, arguments):
        def codegen(context, builder, sig, args):
            given = cgutils.unpack_tuple(builder, args[1])
            pairs = zip(given, sig.args[1].types, parameters, strict=True)
            values = [context.cast(builder, value, kind, wanted) for value, kind, wanted in pairs]
            convention = context.call_conv
            kind = convention.get_function_type(returns, parameters)
            callee = builder.inttoptr(args[0], kind.as_pointer())
            status, value = convention.call_function(builder, callee, returns, parameters, values)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return value

        return returns(types.int64, arguments), codegen

    caller: Any = intrinsic(call)
    caller.returns, caller.parameters = returns, parameters
    return caller


def address_of(call: Any, function: Any, record: Any) -> int:
    """Compile the function of a prototype for one type of record, or load it; return its address.

    Args:
        call: its prototype.
        function: decorated by `njit(**BY_ADDRESS)`.
        record: the Numba type that its records have where the prototype has `voidptr`.

    Raises TypeError if the function returns another type than its prototype, and RuntimeError if
    Numba has no address for it.
    """
    pointer = types.CPointer(record)
    given = tuple(pointer if kind == types.voidptr else kind for kind in call.parameters)
    function.compile(given)
    compiled = function.overloads[given]
    if compiled.signature.return_type != call.returns:
        raise TypeError(
            f"{function.__name__} returns {compiled.signature.return_type} for {record}: expected "
            f"{call.returns}"
        )
    address = int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
    if not address:  # a call would end the process
        raise RuntimeError(f"{function.__name__} for {record} has no address in its library")
    return address


@jitable
def record_at(pointer):
    """Return the record that a pointer points to."""
    return carray(pointer, (1,))[0]
