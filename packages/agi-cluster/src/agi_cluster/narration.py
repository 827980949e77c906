"""Events in words: one line for a person, or none where there is nothing to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agi_cluster.model.event import Event
from agi_cluster.text import byte_count, counted, duration, one_line

_DIGEST = re.compile("[0-9a-f]{64}")

Label = Callable[[str], str]
"""What people call the partition with an id."""


def line_of(event: Event, label: Label = str) -> str:
    """The event in words; empty where people need not hear of it.

    Kinds that a newer daemon may send are named with their facts.
    """
    tell = _WORDS.get(event.kind)
    if tell is not None:
        return one_line(tell(event.data, label))
    facts = " ".join(f"{key}={value}" for key, value in event.data.items())
    return one_line(f"{event.kind.replace('_', ' ')} {facts}")


Data = Mapping[str, Any]


def _silence(_data: Data, _label: Label) -> str:
    return ""


def _state_changed(data: Data, _label: Label) -> str:
    lines = {"INSTALLING": "checking what is installed", "CANCELLING": "cancelling"}
    return lines.get(str(data.get("state")), "")


def _installed(data: Data, _label: Label) -> str:
    if data.get("unchanged"):
        return "installed already"
    what = data.get("what")
    return f"installed: {what}" if what else "installed"


def _planned(data: Data, _label: Label) -> str:
    change = str(data.get("change", ""))
    how = f", {change}" if change.startswith("made from") else ""
    return f"planned: {data.get('partitions', '?')} partitions, {data.get('plan', '')}{how}"


def _runner_started(data: Data, _label: Label) -> str:
    return "started" if int(data.get("epoch", 1)) == 1 else "started again"


def _partition_started(data: Data, label: Label) -> str:
    attempt = int(data.get("attempt", 1))
    again = f", attempt {attempt}" if attempt > 1 else ""
    return f"{label(str(data.get('id', '?')))}: begun on slot {data.get('slot', '?')}{again}"


def _partition_finished(data: Data, label: Label) -> str:
    seconds = duration(float(data.get("seconds", 0)))
    return f"{label(str(data.get('id', '?')))}: done on slot {data.get('slot', '?')} in {seconds}"


def _partition_failed(data: Data, label: Label) -> str:
    cause = data.get("cause") or {}
    what = cause.get("message") or cause.get("kind") or "it failed"
    again = "" if data.get("final", True) else "; it is tried again"
    return f"{label(str(data.get('id', '?')))}: failed: {what}{again}"


def _partition_moved(data: Data, label: Label) -> str:
    where = f"from slot {data.get('from_slot')} to {data.get('to_slot')}"
    return f"{label(str(data.get('id', '?')))}: moved {where}: {data.get('reason', '')}"


def _executor_ended(data: Data, _label: Label) -> str:
    cause = data.get("cause") or {}
    if cause.get("kind") == "stopped":
        return ""
    what = cause.get("detail") or cause.get("kind") or ""
    return f"an executor of slot {data.get('slot')} ended: {what}"


def _executor_ready(data: Data, _label: Label) -> str:
    words = [f"{name} {data[name]}" for name in ("module", "device", "arrays") if data.get(name)]
    return f"an executor of slot {data.get('slot')} is ready: {', '.join(words)}"


def _executor_unfit(data: Data, _label: Label) -> str:
    cause = data.get("cause") or {}
    return f"the app cannot be started: {cause.get('message') or cause.get('kind')}"


def _cancel_requested(data: Data, _label: Label) -> str:
    grace = duration(float(data.get("grace_s", data.get("grace_seconds", 0))))
    return f"asked to stop: running partitions have {grace}"


def _published(data: Data, _label: Label) -> str:
    return f"published: {data.get('path', '')}"


def _collecting(data: Data, _label: Label) -> str:
    return f"collecting {counted(len(data.get('wheels', ())), 'wheel')}"


def _shipping(data: Data, _label: Label) -> str:
    size = byte_count(int(data.get("bytes", 0)))
    return (
        f"{data.get('host', '')}: shipping {counted(len(data.get('wheels', ())), 'wheel')}, {size}"
    )


def _measured(data: Data, _label: Label) -> str:
    mode, number = data.get("mode"), int(data.get("round", 0)) + 1
    if data.get("error"):
        return f"mode {mode}: {data['error']}"
    if not data.get("counts"):
        return f"mode {mode}, run {number}: warm"
    return f"mode {mode}, run {number}: {duration(float(data.get('seconds') or 0))}"


def _resolved(data: Data, _label: Label) -> str:
    changed = data.get("changed") or ()
    return f"changed: {', '.join(map(str, changed))}" if changed else ""


def _on_host(what: str) -> Callable[[Data, Label], str]:
    def tell(data: Data, _label: Label) -> str:
        detail = _without_digest(str(data.get("detail", "")))
        return f"{data.get('host', '')}: {what}{f': {detail}' if detail else ''}"

    return tell


def _without_digest(detail: str) -> str:
    return "" if _DIGEST.fullmatch(detail) else detail


def _step_started(data: Data, _label: Label) -> str:
    attempt = int(data.get("attempt", 1))
    return f"{data.get('step', '?')}: begun{f', attempt {attempt}' if attempt > 1 else ''}"


def _step_ended(data: Data, _label: Label) -> str:
    words = {"SUCCEEDED": "done", "FAILED": "failed", "CANCELLED": "stopped"}
    state = str(data.get("state", "?"))
    error = (data.get("error") or {}).get("metadata", {}).get("what", "")
    spent = duration(float(data.get("seconds", 0)))
    why = f": {error}" if error else ""
    return f"{data.get('step', '?')}: {words.get(state, state.lower())} after {spent}{why}"


def _step_passed_over(data: Data, _label: Label) -> str:
    return f"{data.get('step', '?')}: not executed: {data.get('reason', '')}"


def _step_lost(data: Data, _label: Label) -> str:
    return f"{data.get('step', '?')}: lost in a crash; it is started again and joins its runs"


def _step_retried(data: Data, _label: Label) -> str:
    return f"{data.get('step', '?')}: is tried again"


def _slot(what: str) -> Callable[[Data, Label], str]:
    def tell(data: Data, _label: Label) -> str:
        cause = data.get("cause") or {}
        why = data.get("reason") or cause.get("detail") or cause.get("kind")
        return f"slot {data.get('slot', '?')}: {what}{f': {why}' if why else ''}"

    return tell


def _cleared(data: Data, _label: Label) -> str:
    reason = data.get("reason")
    return f"{data.get('host', '')}: {reason or 'nothing of the run is left there'}"


def _uncleared(data: Data, _label: Label) -> str:
    return f"to be cleared up on {', '.join(map(str, data.get('hosts', ())))}"


def _out_of_reach(data: Data, _label: Label) -> str:
    host, reason = data.get("host", ""), data.get("reason", "")
    return f"{host} does not answer and is asked again: {reason}"


def _runner_moved(data: Data, _label: Label) -> str:
    places = f"from {data.get('from', '?')} to {data.get('to', '?')}"
    return f"the scheduler moves {places}: {data.get('reason', '')}"


def _inheritance_refused(data: Data, label: Label) -> str:
    name = label(str(data.get("id", "?")))
    return f"{name}: is done again, its earlier result does not hold: {data.get('reason', '')}"


def _stop_failed(data: Data, _label: Label) -> str:
    cause = data.get("cause") or {}
    what = cause.get("message") or cause.get("detail") or cause.get("kind") or "it failed"
    return f"stop() of an executor of slot {data.get('slot', '?')}: {what}"


def _always(line: str) -> Callable[[Data, Label], str]:
    return lambda _data, _label: line


_WORDS: dict[str, Callable[[Data, Label], str]] = {
    "accepted": _silence,
    "cores_leased": _silence,
    "state_changed": _state_changed,
    "installed": _installed,
    "planned": _planned,
    "runner_started": _runner_started,
    "rebuilt": _always("restored from its directory"),
    "runner_out_of_reach": _out_of_reach,
    "runner_moved": _runner_moved,
    "scheduler_started": _silence,
    "slot_joined": _slot("a worker is there"),
    "slot_lost": _slot("lost"),
    "slot_drained": _slot("nothing more is begun there"),
    "slot_given_up": _slot("given up"),
    "worker_gone": _slot("its worker has ended"),
    "hosts_uncleared": _uncleared,
    "host_cleared": _cleared,
    "runner_lost": _always("the runner ended unexpectedly; it is started again"),
    "journal_recovered": _always("the journal was mended after a crash"),
    "executor_started": _silence,
    "executor_ready": _executor_ready,
    "executor_unfit": _executor_unfit,
    "executor_ended": _executor_ended,
    "partition_started": _partition_started,
    "partition_finished": _partition_finished,
    "partition_failed": _partition_failed,
    "partition_moved": _partition_moved,
    "partition_inherited": _silence,
    "inheritance_refused": _inheritance_refused,
    "stop_failed": _stop_failed,
    "stop_cut_short": _stop_failed,
    "cancel_asked": _silence,
    "cancel_requested": _cancel_requested,
    "result_lost": _always("a result is not on the disk any more; its partition is done again"),
    "reduce_started": _always("reducing"),
    "reduce_finished": _silence,
    "reduce_failed": _always("reduce failed"),
    "published": _published,
    "settled": _silence,
    "measured": _measured,
    "resolved": _resolved,
    "checked": _silence,
    "collecting": _collecting,
    "compiling": _on_host("compiling"),
    "shipping": _shipping,
    "step_started": _step_started,
    "step_ended": _step_ended,
    "step_skipped": _step_passed_over,
    "step_passed_over": _step_passed_over,
    "step_lost": _step_lost,
    "step_retried": _step_retried,
    "realising": _on_host("building"),
    "repeated": _on_host("the connection broke, begun again"),
    "ready": _on_host("ready"),
    "unchanged": _on_host("nothing to do"),
    "failed": _on_host("failed"),
}

KINDS = frozenset(_WORDS)
"""The kinds of events that have words here."""
