"""What `contextlib` does where it runs functions of a flow, in words that all versions of Python share.

Never imported: `borrowed` compiles it as a unit, and the functions of the interpreter's own `contextlib` get
the code of the same name. So their globals are that module's, and the names imported here are there for the
reader. Behaviour and messages are those of Python 3.11 to 3.13.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any


class ContextDecorator:
    def __call__(self: Any, func):  # type: ignore[no-untyped-def]
        @wraps(func)
        def inner(*args, **kwds):  # type: ignore[no-untyped-def]
            with self._recreate_cm():
                return func(*args, **kwds)

        return inner


class AsyncContextDecorator:
    def __call__(self: Any, func):  # type: ignore[no-untyped-def]
        @wraps(func)
        async def inner(*args, **kwds):  # type: ignore[no-untyped-def]
            async with self._recreate_cm():
                return await func(*args, **kwds)

        return inner


class _GeneratorContextManager:
    def __enter__(self: Any) -> Any:
        del self.args, self.kwds, self.func  # nobody makes it anew now
        try:
            return next(self.gen)
        except StopIteration:
            raise RuntimeError("generator didn't yield") from None

    def __exit__(self: Any, typ: Any, value, traceback: Any) -> Any:  # type: ignore[no-untyped-def]
        if typ is None:
            try:
                next(self.gen)
            except StopIteration:
                return False
            message = "generator didn't stop"
        else:
            if value is None:
                value = typ()
            try:
                self.gen.throw(value)
            except StopIteration as raised:
                return raised is not value
            except BaseException as raised:
                is_wrapped = isinstance(raised, RuntimeError) and isinstance(value, StopIteration)
                if raised is not value and not (is_wrapped and raised.__cause__ is value):
                    raise
                value.__traceback__ = traceback  # type: ignore[union-attr]
                return False
            message = "generator didn't stop after throw()"
        try:
            raise RuntimeError(message)
        finally:
            self.gen.close()


class _AsyncGeneratorContextManager:
    async def __aenter__(self: Any) -> Any:
        del self.args, self.kwds, self.func
        try:
            return await anext(self.gen)
        except StopAsyncIteration:
            raise RuntimeError("generator didn't yield") from None

    async def __aexit__(self: Any, typ: Any, value, traceback: Any):  # type: ignore[no-untyped-def]
        if typ is None:
            try:
                await anext(self.gen)
            except StopAsyncIteration:
                return False
            message = "generator didn't stop"
        else:
            if value is None:
                value = typ()
            try:
                await self.gen.athrow(value)
            except StopAsyncIteration as raised:
                return raised is not value
            except BaseException as raised:
                ends = (StopIteration, StopAsyncIteration)
                is_wrapped = isinstance(raised, RuntimeError) and isinstance(value, ends)
                if raised is not value and not (is_wrapped and raised.__cause__ is value):
                    raise
                value.__traceback__ = traceback  # type: ignore[union-attr]
                return False
            message = "generator didn't stop after athrow()"
        try:
            raise RuntimeError(message)
        finally:
            await self.gen.aclose()


def contextmanager(func):  # type: ignore[no-untyped-def]
    @wraps(func)
    def helper(*args, **kwds):  # type: ignore[no-untyped-def]
        return _GeneratorContextManager(func, args, kwds)  # type: ignore[call-arg]

    return helper


def asynccontextmanager(func):  # type: ignore[no-untyped-def]
    @wraps(func)
    def helper(*args, **kwds):  # type: ignore[no-untyped-def]
        return _AsyncGeneratorContextManager(func, args, kwds)  # type: ignore[call-arg]

    return helper


class closing:
    def __exit__(self: Any, *exc_info: Any) -> None:
        self.thing.close()


class aclosing:
    async def __aexit__(self: Any, *exc_info: Any) -> None:
        await self.thing.aclose()


class _BaseExitStack:
    @staticmethod
    def _create_cb_wrapper(callback, /, *args, **kwds):  # type: ignore[no-untyped-def]
        def _exit_wrapper(*_):  # type: ignore[no-untyped-def]
            callback(*args, **kwds)

        return _exit_wrapper

    def enter_context(self: Any, cm: Any) -> Any:
        kind = type(cm)
        try:
            enter, leave = kind.__enter__, kind.__exit__
        except AttributeError:
            name = f"{kind.__module__}.{kind.__qualname__}"
            raise TypeError(f"'{name}' object does not support the context manager protocol") from None
        result = enter(cm)
        self._push_cm_exit(cm, leave)
        return result


class ExitStack:
    def __exit__(self: Any, *exc_details: Any) -> Any:
        error = exc_details[1]
        is_given, is_eaten, is_raised = error is not None, False, False
        around = sys.exception()
        while self._exit_callbacks:
            _, leave = self._exit_callbacks.pop()
            try:
                trace = None if error is None else error.__traceback__
                if leave(None if error is None else type(error), error, trace):
                    is_eaten, is_raised, error = True, False, None
            except BaseException as raised:
                last = raised  # as if the blocks were nested: it came while the earlier one was handled
                while last.__context__ is not None and last.__context__ is not error:
                    if last.__context__ is around:
                        last.__context__ = error
                        break
                    last = last.__context__
                is_raised, error = True, raised
        if is_raised:
            context = error.__context__
            try:
                raise error
            except BaseException:
                error.__context__ = context
                raise
        return is_given and is_eaten

    def close(self: Any) -> None:
        self.__exit__(None, None, None)


class AsyncExitStack:
    @staticmethod
    def _create_async_cb_wrapper(callback, /, *args, **kwds):  # type: ignore[no-untyped-def]
        async def _exit_wrapper(*_):  # type: ignore[no-untyped-def]
            await callback(*args, **kwds)

        return _exit_wrapper

    async def enter_async_context(self: Any, cm: Any) -> Any:
        kind = type(cm)
        try:
            enter, leave = kind.__aenter__, kind.__aexit__
        except AttributeError:
            name = f"{kind.__module__}.{kind.__qualname__}"
            what = "the asynchronous context manager protocol"
            raise TypeError(f"'{name}' object does not support {what}") from None
        result = await enter(cm)
        self._push_async_cm_exit(cm, leave)
        return result

    async def __aexit__(self: Any, *exc_details: Any) -> Any:
        error = exc_details[1]
        is_given, is_eaten, is_raised = error is not None, False, False
        around = sys.exception()
        while self._exit_callbacks:
            is_sync, leave = self._exit_callbacks.pop()
            try:
                trace = None if error is None else error.__traceback__
                eats = leave(None if error is None else type(error), error, trace)
                if not is_sync:
                    eats = await eats
                if eats:
                    is_eaten, is_raised, error = True, False, None
            except BaseException as raised:
                last = raised
                while last.__context__ is not None and last.__context__ is not error:
                    if last.__context__ is around:
                        last.__context__ = error
                        break
                    last = last.__context__
                is_raised, error = True, raised
        if is_raised:
            context = error.__context__
            try:
                raise error
            except BaseException:
                error.__context__ = context
                raise
        return is_given and is_eaten

    async def aclose(self: Any) -> None:
        await self.__aexit__(None, None, None)
