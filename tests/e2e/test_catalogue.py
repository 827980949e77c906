"""Every error of the catalogue is met on a real path of the product: where that is shown.

A new class in ``agi_env.errors`` needs an entry here, and so a test that provokes it without
raising it itself. A class that no path raises any more has to go.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from agi_env.errors import AgiError, catalogue

REPOSITORY = Path(__file__).parents[2]
INPUT = "tests/e2e/test_bad_input.py"
APPS = "tests/e2e/test_bad_apps.py"
DAEMONS = "tests/e2e/test_bad_daemons.py"
HOSTS = "packages/agi-daemon/tests/test_hosts.py"
DISKS = "tests/e2e/test_bad_disks.py"
PIPELINES = "tests/e2e/test_pipelines.py"
LAB = "packages/agi-daemon/tests/test_lab_steps.py"
MAIN = "packages/agi-daemon/tests/test_main.py"
NATIVE = "packages/agi-daemon/tests/test_native.py"
RETRY = "tests/e2e/test_retry.py"
SHARE = "packages/agi-daemon/tests/test_doctor_share.py"
SSH = "packages/agi-daemon/tests/ssh/test_ssh_transport.py"
WAYS = "packages/agi-daemon/tests/ssh/test_ssh_ways.py"
TRANSPORT = "packages/agi-daemon/tests/test_transport_local.py"

PROVOKED = {
    # What was given is wrong.
    "INVALID_INPUT": f"{MAIN}::test_variables_that_cannot_be_used",
    "MODE_INVALID": f"{INPUT}::test_a_mode_with_unknown_bits",
    "SETTINGS_INVALID": f"{INPUT}::test_a_setting_that_cannot_be",
    "SETTINGS_SYNTAX": f"{INPUT}::test_settings_that_are_not_toml",
    "SLOTS_INVALID": f"{INPUT}::test_a_slot_count_that_is_none",
    "SELECTION_INVALID": f"{INPUT}::test_hosts_that_do_not_fit_or_are_unknown",
    "REQUEST_INVALID": f"{INPUT}::test_arguments_that_cannot_be_given",
    "PLAN_INVALID": f"{APPS}::test_a_manager_that_names_no_partitions",
    "PIPELINE_SYNTAX": f"{LAB}::test_what_is_no_file_of_steps_is_said",
    "PIPELINE_INVALID": f"{LAB}::test_what_cannot_be_used_is_said_with_its_line",
    # What was named does not exist.
    "NOT_FOUND": f"{INPUT}::test_settings_that_cannot_be_edited_without_harm",
    "APP_NOT_FOUND": f"{INPUT}::test_an_app_that_nobody_knows",
    "RUN_NOT_FOUND": f"{INPUT}::test_names_of_what_does_not_exist",
    "PLAN_NOT_FOUND": f"{INPUT}::test_names_of_what_does_not_exist",
    "INSTALLATION_NOT_FOUND": f"{INPUT}::test_names_of_what_does_not_exist",
    "BENCHMARK_NOT_FOUND": f"{INPUT}::test_names_of_what_does_not_exist",
    "HOST_NOT_FOUND": f"{INPUT}::test_hosts_that_do_not_fit_or_are_unknown",
    "PIPELINE_NOT_FOUND": f"{LAB}::test_what_is_no_file_of_steps_is_said",
    "RELEASE_NOT_FOUND": (
        "tests/e2e/test_installs_on_hosts.py::test_an_earlier_release_is_chosen_again"
    ),
    "STEP_NOT_FOUND": f"{PIPELINES}::test_names_of_what_is_not_there",
    "PIPELINE_RUN_NOT_FOUND": f"{PIPELINES}::test_names_of_what_is_not_there",
    # The state of things does not allow it.
    "REFUSED": f"{TRANSPORT}::test_a_command_that_is_not_there_is_refused",
    "NOT_INSTALLED": f"{INPUT}::test_sources_that_are_not_installed",
    "MODE_NOT_RUNNABLE": f"{INPUT}::test_a_mode_that_cannot_be_run_here",
    "SHARE_UNUSABLE": f"{SHARE}::test_a_share_that_cannot_be_written_is_the_managers_error",
    "SHARE_MISSING": f"{SHARE}::test_each_fault_has_its_code",
    "SHARE_READ_ONLY": f"{SHARE}::test_each_fault_has_its_code",
    "SHARE_LOCAL": f"{SHARE}::test_each_fault_has_its_code",
    "SHARE_DIFFERENT": f"{SHARE}::test_each_fault_has_its_code",
    "SHARE_STALE": f"{SHARE}::test_each_fault_has_its_code",
    "SCHEDULER_UNREACHABLE": (
        "tests/e2e/test_doctor.py::test_a_worker_that_does_not_reach_the_scheduler"
    ),
    "COMPILER_MISSING": f"{NATIVE}::test_a_host_without_a_compiler_says_how_to_get_one",
    "NOT_COMPILED": (
        "tests/e2e/test_modes.py::test_a_build_that_lost_its_extension_is_refused_not_run_as_python"
    ),
    "DEVICE_FAILED": f"{NATIVE}::test_a_device_that_does_not_compute_is_met_when_it_is_installed",
    "PLAN_STALE": f"{INPUT}::test_a_plan_that_was_made_for_something_else",
    "RETRY_REFUSED": f"{RETRY}::test_what_is_gone_or_was_made_by_other_sources_is_not_taken_over",
    "HOST_DRAINED": f"{HOSTS}::test_a_drained_host_keeps_what_it_has_and_gets_nothing_new",
    "HOST_IN_USE": f"{HOSTS}::test_a_host_that_is_used_stays_and_says_by_what",
    "PYTHON_MISMATCH": f"{INPUT}::test_declarations_that_cannot_be_used",
    "STEP_STALE": f"{PIPELINES}::test_a_stale_step_says_field_by_field_what_changed",
    "SNIPPET_STALE": f"{PIPELINES}::test_the_path_from_settings_to_history",
    "SNIPPET_API_UNKNOWN": f"{PIPELINES}::test_a_snippet_of_another_api_is_refused",
    # Somebody else was first.
    "CONFLICT": "packages/agi-env/tests/test_publish.py::test_an_older_runner_does_not_publish",
    "ETAG_MISMATCH": f"{INPUT}::test_settings_that_cannot_be_edited_without_harm",
    "REQUEST_ID_REUSED": f"{INPUT}::test_a_request_id_with_other_content",
    "ALREADY_EXISTS": f"{INPUT}::test_names_that_are_taken_or_cannot_be",
    "CURSOR_EXPIRED": f"{INPUT}::test_a_number_that_no_watch_was_told",
    # The daemon cannot start or be reached.
    "DAEMON_UNAVAILABLE": f"{DAEMONS}::test_addresses_where_nobody_is",
    "DAEMON_START_FAILED": f"{DAEMONS}::test_a_state_directory_that_cannot_be_used",
    "DAEMON_ALREADY_RUNNING": f"{DAEMONS}::test_two_daemons_on_one_state_directory",
    "STATE_UNWRITABLE": f"{DISKS}::test_a_state_directory_that_is_read_only",
    "STATE_UNREADABLE": f"{DAEMONS}::test_a_damage_in_the_middle_of_a_store",
    "SOCKET_PATH_TOO_LONG": f"{DAEMONS}::test_a_socket_path_that_is_too_long",
    "ADDRESS_INVALID": f"{DAEMONS}::test_addresses_where_nobody_is",
    "TUNNEL_FAILED": f"{DAEMONS}::test_a_manager_that_ssh_cannot_reach",
    "METHOD_UNKNOWN": f"{DAEMONS}::test_a_call_that_the_daemon_does_not_know",
    # Time and room.
    "DEADLINE_EXCEEDED": f"{DAEMONS}::test_a_daemon_that_does_not_answer",
    "HOST_COMMAND_TIMEOUT": f"{TRANSPORT}::test_at_the_deadline_the_whole_group_dies",
    "NO_ROOM": f"{INPUT}::test_a_request_that_is_too_large",
    "DISK_FULL": f"{DISKS}::test_a_full_disk_refuses_and_harms_nothing",
    "OUTPUT_TOO_LARGE": f"{APPS}::test_a_partition_that_fails_leaves_the_others_results",
    # The app.
    "STEP_FAILED": f"{PIPELINES}::test_a_failing_step_of_a_serial_pipeline",
    "STEP_TIMEOUT": f"{PIPELINES}::test_a_step_has_a_time_limit",
    "STEP_INTERRUPTED": f"{PIPELINES}::test_other_code_that_is_lost_is_never_repeated",
    "APP_FAILED": f"{APPS}::test_a_worker_that_cannot_begin_or_end",
    "APP_INVALID": f"{INPUT}::test_a_folder_that_is_half_an_app",
    "APP_IMPORT_FAILED": f"{APPS}::test_an_app_that_cannot_be_imported_or_lacks_a_part",
    "APP_WORK_MISSING": f"{APPS}::test_an_app_that_cannot_be_imported_or_lacks_a_part",
    "APP_PARTITIONS_FAILED": f"{APPS}::test_a_manager_that_names_no_partitions",
    "PARTITION_FAILED": f"{APPS}::test_a_partition_that_fails_leaves_the_others_results",
    "RESULT_NOT_JSON": f"{APPS}::test_a_partition_that_fails_leaves_the_others_results",
    "PARTITION_TIMEOUT": f"{APPS}::test_a_partition_that_fails_leaves_the_others_results",
    "EXECUTOR_DIED": f"{APPS}::test_a_partition_that_fails_leaves_the_others_results",
    "REDUCE_FAILED": f"{APPS}::test_a_reduction_that_fails",
    "LOCK_FAILED": f"{INPUT}::test_declarations_that_cannot_be_used",
    "WHEELS_FAILED": (
        "packages/agi-daemon/tests/test_wheelhouse.py::test_no_index_is_said_to_be_the_matter"
    ),
    "COMPILE_FAILED": f"{NATIVE}::test_what_does_not_compile_is_told_by_the_authors_line",
    "BUILD_FAILED": (
        "packages/agi-daemon/tests/test_installer.py"
        "::test_killed_in_the_middle_it_succeeds_the_next_time"
    ),
    "RUN_FAILED": f"{INPUT}::test_results_that_have_no_place",
    "RUN_TIMEOUT": f"{INPUT}::test_a_run_past_its_deadline",
    "RUNNER_LOST": f"{INPUT}::test_a_run_whose_runner_cannot_be_kept",
    "WORKERS_LOST": (
        "packages/agi-env/tests/test_cluster_run.py"
        "::test_without_any_worker_the_run_fails_and_says_why"
    ),
    # Hosts.
    "HOST_FAILED": f"{SSH}::test_a_server_that_allows_no_session_says_so",
    "HOST_UNRESOLVED": f"{WAYS}::test_ways_that_lead_nowhere_are_told_apart",
    "HOST_UNREACHABLE": f"{WAYS}::test_ways_that_lead_nowhere_are_told_apart",
    "HOST_KEY_UNTRUSTED": f"{WAYS}::test_a_way_through_a_jump_host",
    "HOST_KEY_CHANGED": (
        f"{WAYS}::test_a_changed_host_key_stops_everything_and_says_what_happened"
    ),
    "HOST_LOGIN_REFUSED": f"{WAYS}::test_a_key_that_the_host_does_not_know",
    "LOGIN_SHELL_HANGS": f"{SSH}::test_a_login_shell_that_hangs_is_named",
    "HOST_CONNECTION_LOST": f"{SSH}::test_a_dropped_connection_is_no_failure_of_the_command",
    "UV_MISSING": f"{SSH}::test_a_command_that_is_not_there_is_refused",
    "PYTHON_MISSING": f"{SSH}::test_a_command_that_is_not_there_is_refused",
    # And the rest.
    "RUN_CANCELLED": f"{INPUT}::test_a_run_that_is_cancelled_says_so",
    "INTERNAL": f"{MAIN}::test_a_defect_at_the_start_is_told_by_its_incident",
}


@cache
def text_of_tests(path: str) -> dict[str, str]:
    """The text of each test in a file, decorators and all."""
    text = (REPOSITORY / path).read_text()
    nodes = [node for node in ast.walk(ast.parse(text)) if hasattr(node, "decorator_list")]
    return {node.name: _text_of(node, text.splitlines()) for node in nodes}


def _text_of(node: ast.stmt, lines: list[str]) -> str:
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return "\n".join(lines[first - 1 : node.end_lineno])


@cache
def used_by_the_product() -> set[str]:
    """Names and texts in the sources of all packages, but for imports and the catalogue itself."""
    found: set[str] = set()
    for path in REPOSITORY.glob("packages/*/src/**/*.py"):
        if "api" not in path.parts and path.parts[-2:] != ("agi_env", "errors.py"):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            found |= {node.id for node in nodes if isinstance(node, ast.Name)}
            found |= {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return found


def test_every_error_has_an_entry_and_no_entry_is_left_over() -> None:
    assert sorted(PROVOKED) == sorted(catalogue())


@pytest.mark.parametrize("code", PROVOKED)
def test_the_test_is_there_and_is_about_this_error(code: str) -> None:
    path, _, name = PROVOKED[code].partition("::")
    text = text_of_tests(path)[name]
    assert code in text or re.search(rf"\b{catalogue()[code].__name__}\b", text)


@pytest.mark.parametrize("code", catalogue())
def test_some_path_of_the_product_raises_it(code: str) -> None:
    assert {code, catalogue()[code].__name__} & used_by_the_product()


@pytest.mark.parametrize("cls", catalogue().values(), ids=lambda cls: cls.__name__)
def test_every_error_says_what_to_do_and_how_it_ends(cls: type[AgiError]) -> None:
    assert cls.advice and not cls.advice.endswith(".")
    assert cls.advice[0].isupper() or cls.advice[0] == "`"
    assert 3 <= cls.exit_code <= 13
    assert cls.__doc__ and cls.__doc__.count("\n") == 0
