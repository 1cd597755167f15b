"""The harness itself: what the other tests rely on it to notice."""
import signal
import sys

import pytest
from harness import net, process, wait


def python(supervisor, text, **options):
    return supervisor.start("python", [sys.executable, "-u", "-c", text], **options)


def test_lines_and_events_are_seen_as_they_come(supervisor):
    started = python(supervisor, "print('one'); print('{\"event\": \"two\"}'); input()")
    assert started.wait_line("^o(.)e$")[1] == "n"
    assert started.wait_event(event="two") == {"event": "two"}
    started.close_stdin()
    assert started.wait_exit() == 1


def test_waiting_for_what_never_comes_ends(supervisor):
    started = python(supervisor, "input()")
    with pytest.raises(wait.TooLate):
        started.wait_line("never", timeout=0.1)
    with pytest.raises(wait.TooLate):
        wait.until(lambda: False, "the impossible", timeout=0.1)


def test_a_program_that_ends_is_not_waited_for(supervisor):
    started = python(supervisor, "print('done')")
    with pytest.raises(wait.TooLate, match="ended without"):
        started.wait_line("more", timeout=60)


def test_a_bad_exit_code_is_a_fault():
    own = process.Supervisor()
    python(own, "raise SystemExit(7)", good_codes=(0,)).wait_exit()
    assert own.close() == ["python ended with 7"]


def test_a_program_that_ignores_the_signal_is_a_fault():
    own = process.Supervisor()
    started = python(own, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                          "print('ready'); input()")
    started.wait_line("ready")
    assert started.stop(timeout=0.2) == ["python did not end when asked to"]
    assert not own.close()


def test_a_sanitizer_report_is_a_fault():
    own = process.Supervisor()
    python(own, "import sys; sys.stderr.write('ERROR: AddressSanitizer: x\\n')").wait_exit()
    assert own.close() == ["python: a sanitizer found a fault"]


def test_a_process_left_behind_is_found_and_ended():
    own = process.Supervisor()
    started = python(own, """
import subprocess
print(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)
""")
    left = started.wait_line("^([0-9]+)$")[1]
    started.wait_exit()
    faults = own.close()
    assert len(faults) == 1 and faults[0].startswith(f"left running: {left} sleep 1000")


def test_a_killed_program_is_no_fault(supervisor):
    started = python(supervisor, "input()", good_codes=(0,))
    started.kill()
    assert started.wait_exit() == -signal.SIGKILL


def test_echo_servers_give_back_what_they_get(tcp_server, udp_echo):
    data = bytes(range(256)) * 4096
    assert net.exchange(("127.0.0.1", tcp_server().port), data) == data
    assert net.udp_exchange(udp_echo.port, data[:65507]) == data[:65507]
    counted = tcp_server(net.answer_after_end)
    assert net.exchange(("127.0.0.1", counted.port), data).split()[0] == b"1048576"


def test_a_source_sends_what_its_digest_says(tcp_server):
    source = net.Source(3_000_001)
    server = tcp_server(source)
    with net.socket.create_connection(("127.0.0.1", server.port)) as connection:
        assert net.read_digest(connection) == (source.size, source.sha256)
