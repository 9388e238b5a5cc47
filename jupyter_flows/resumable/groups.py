"""What `except*` does between its clauses, in functions: CPython keeps it on the value stack.

A clause with a call in it is written out (`lowering.handlers`) as an `if` around an ordinary handler:

    except* E as e: BODY       if .matched(.g, E):
                                   try:
                                       try: .raise_matched(.g)
                                       except BaseException as e: .settle(exception()); BODY
                                   except BaseException: .collected(.g, exception())

and after the last clause what remains is raised. What is known meanwhile is a plain list, so that any
savepoint can keep it: the exception that was caught, what no clause has matched yet, what the last one
matched, and what the clauses raised.
"""

from __future__ import annotations

from typing import Any, TypeGuard

_CAUGHT, _REST, _MATCHED, _RAISED = range(4)

State = list[Any]


def begun(error: BaseException) -> State:
    return [error, error, None, []]


def matched(state: State, kinds: Any) -> bool:
    """Whether a clause with these types has something to handle; it is taken from what remains."""
    _check(kinds)
    rest = state[_REST]
    match = None
    if isinstance(rest, kinds):
        match = rest if _is_group(rest) else BaseExceptionGroup("", (rest,))
        rest = None
    elif _is_group(rest):
        match, rest = rest.split(kinds)
    state[_MATCHED], state[_REST] = match, rest
    return match is not None


def _is_group(error: BaseException | None) -> TypeGuard[BaseExceptionGroup[Any]]:
    return isinstance(error, BaseExceptionGroup)


def _check(kinds: Any) -> None:
    every = kinds if isinstance(kinds, tuple) else (kinds,)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in every):
        raise TypeError("catching classes that do not inherit from BaseException is not allowed")
    if any(issubclass(one, BaseExceptionGroup) for one in every):
        raise TypeError("catching ExceptionGroup with except* is not allowed. Use except instead.")


def taken(state: State) -> BaseException:
    """What the clause handles. From here on its handler has it."""
    match: BaseException = state[_MATCHED]
    state[_MATCHED] = None
    return match


def collected(state: State, error: BaseException) -> None:
    """A clause has raised this. Whether it is a part as it was is told now: a savepoint may lose traces."""
    state[_RAISED].append((error, _is_part(error, state[_CAUGHT])))


def left(state: State) -> BaseException | None:
    """What is raised after the last clause: what none of them matched, and what they raised."""
    caught, rest = state[_CAUGHT], state[_REST]
    every = [*state[_RAISED], *([(rest, True)] if rest is not None else [])]
    if not every or not _is_group(caught):
        error: BaseException | None = every[0][0] if every else None
        return error
    raised = [one for one, is_part in every if not is_part]
    leaves = {id(leaf) for one, is_part in every if is_part for leaf in _leaves(one)}
    parts = BaseExceptionGroup.subgroup(caught, lambda one: id(one) in leaves) if leaves else None
    if parts is not None:
        raised.append(parts)
    return raised[0] if len(raised) == 1 else BaseExceptionGroup("", raised)


def _is_part(one: BaseException, whole: BaseException) -> bool:
    """Whether it was split off, and raised again as it was: then all such parts become one again."""
    kept = ("__traceback__", "__cause__", "__context__")
    return _is_group(one) and all(getattr(one, name) is getattr(whole, name) for name in kept)


def _leaves(error: BaseException) -> list[BaseException]:
    if not _is_group(error):
        return [error]
    return [leaf for one in error.exceptions for leaf in _leaves(one)]
