"""Take up a changed checkpoint folder or calibration file without a restart, and what a server that
scores has changed to.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from ..checkpoints.store import folder_that_changes, stamp_of
from ..registry.loading import reload_router, router_stamp
from .policy import RoutingPolicy

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)

INTERVAL_S = 2.0
"""Seconds between two looks at the files. What has changed is taken up when two looks in a row
find it the same, so that nothing half-written is."""


class Reloaded:
    """A policy that is rebuilt when its files change; until that succeeds, the old one is used.

    No thread waits for changes: the files are looked at by calls, at most every ``INTERVAL_S``
    seconds. A new checkpoint is loaded beside the traffic, in a thread that ends with that. So is a
    router that has gone stale, by itself.

    Args:
        settings: of the policy. Files are its calibration and, if it is a folder of the user's,
            its checkpoint.

    Raises:
        RouteLLMError: as ``RoutingPolicy``.
    """

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings
        path = settings.calibration
        self._calibration = None if path is None else Path(path).absolute()
        calibration = self._calibration and stamp_of(self._calibration)
        self._policy = RoutingPolicy.from_settings(settings)
        options = settings.router_options
        # After the policy is made, which says of wrong options what is wrong with them.
        self._folder = folder_that_changes(options.get("checkpoint"))
        stamp: Hashable = (router_stamp(settings.router, **options), calibration)
        self._used = self._seen = self._refused = stamp
        self._has_files = self._folder is not None or self._calibration is not None
        self._next_look = time.monotonic() + (INTERVAL_S if self._has_files else 0.0)
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None
        self._complaint = ""

    def current(self) -> RoutingPolicy:
        """Return the policy to use now."""
        may_have_changed = self._has_files or self._policy.router.is_stale
        if may_have_changed and time.monotonic() >= self._next_look:
            self._look()
        return self._policy

    def _look(self) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._next_look = time.monotonic() + INTERVAL_S
            before, self._seen = self._seen, self._stamp()
            is_loading = self._loading is not None and self._loading.is_alive()
            is_new = self._seen == before and self._seen not in (self._used, self._refused)
            if is_loading or not (is_new or self._policy.router.is_stale):
                return
            thread = threading.Thread(
                target=self._reload, args=(self._seen,), name="routellm-reload", daemon=True
            )
            with contextlib.suppress(RuntimeError):  # no thread to be had: at the next look
                thread.start()
                self._loading = thread
        finally:
            self._lock.release()

    def _stamp(self) -> Hashable:
        return tuple(path and stamp_of(path) for path in (self._folder, self._calibration))

    def _reload(self, stamp: Hashable) -> None:
        router, options = self._settings.router, self._settings.router_options
        try:
            reload_router(router, **options)
            policy = RoutingPolicy.from_settings(self._settings)
        except Exception as error:
            if self._stamp() == stamp:  # else it changes still, and is looked at again
                self._refused = stamp
                is_stale = self._policy.router.is_stale  # and so tried again and again
                if not is_stale or str(error) != self._complaint:
                    self._complaint = str(error)
                    logger.warning(
                        "%s: %s changed and cannot be used, so the one before stays (%s)",
                        *(self._settings.subject, self._named(), error),
                    )
            return
        self._complaint = ""
        if policy.router.is_stand_in:
            self._policy = policy
        elif self._stamp() == stamp:
            self._policy, self._used = policy, stamp
            logger.warning(
                "%s: %s changed and is used from now on, with threshold %.5f",
                *(self._settings.subject, self._named(), policy.threshold),
            )

    def _named(self) -> str:
        files = [str(path) for path in (self._folder, self._calibration) if path]
        return " or ".join(files) or "what its server scores with"
